package engine

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// isTransient reports whether an error, or each of those of an *ApplyError, says
// only that the API server, or what it asks, could not respond at present.
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
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || isUnreachable(err) ||
		apierrors.IsInternalError(err) && saysUncalled.MatchString(err.Error())
}
