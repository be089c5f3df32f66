package engine

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
)

// backoff is how often and how far apart a request is tried that the API
// server could not answer: at once, then after about 0.1, 0.3, 0.9, 2.7 s.
// 429 with Retry-After is obeyed by client-go itself, before this.
var backoff = wait.Backoff{Steps: 5, Duration: 100 * time.Millisecond, Factor: 3, Jitter: 0.2}

// retriable says whether the same request may succeed a moment later.
// Everything the engine writes is idempotent (server-side apply, delete by
// UID), so that an unknown outcome may be tried again. Never retried: what
// the API server judged (invalid, forbidden, conflict).
func retriable(err error) bool {
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) && !isAdmission(err) && !isUntyped(err) ||
		utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}
