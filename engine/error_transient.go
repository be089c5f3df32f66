package engine

import (
	"errors"
	"net"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// isTransient reports whether an error, or each of those of an *ApplyError, says
// only that the API server, or what it asks, could not answer at present.
func isTransient(err error) bool {
	var failed *ApplyError
	if errors.As(err, &failed) {
		for _, e := range failed.Failed {
			if !isTransient(e.Err) {
				return false
			}
		}
		return len(failed.Failed) > 0
	}
	if errors.As(err, new(*NotReadyError)) {
		return false
	}
	var timeout net.Error
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
