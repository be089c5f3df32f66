package engine

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// backoff is how often and how far apart a write is tried that met another
// one of the same object: after about 10 ms, each time three times as long, 4 s in all. What the API server
// could not answer is sent again below the clients, see internal/resend.
var backoff = wait.Backoff{Steps: 7, Duration: 10 * time.Millisecond, Factor: 3, Jitter: 0.5}

// isUnserved says whether the API server knows no such resource: it takes a
// moment until it serves what a new CRD defines.
func isUnserved(err error) bool { return apierrors.IsNotFound(err) && !missingNamespace(err) }

// raced says whether a server-side apply lost against another writer and may
// be tried again: both created the object, or the server's own attempts to
// merge with the newest version were used up. A conflict over fields is no
// race.
func raced(err error) bool {
	if apierrors.IsAlreadyExists(err) {
		return true
	}
	managers, _ := conflictManagers(err)
	return apierrors.IsConflict(err) && len(managers) == 0
}
