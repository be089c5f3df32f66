package engine

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// backoff is how often and how far apart a write is tried that met another
// one of the same object: after about 10, 30, 90, 270 ms. What the API server
// could not answer is sent again below the clients, see internal/resend.
var backoff = wait.Backoff{Steps: 5, Duration: 10 * time.Millisecond, Factor: 3, Jitter: 0.5}

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
