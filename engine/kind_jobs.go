package engine

import (
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// isFinishedJob reports whether an object that does not exist is a Job that ran
// with the newest revision and was deleted by its TTL: it is not created again
// until the manifest changes it.
func (j *judge) isFinishedJob(o *object) bool {
	if o.live != nil || o.base == nil || o.unwritten || !deletedByTTL(o.desired) {
		return false
	}
	deployed := j.history.last != nil && j.history.last.Status == storage.StatusDeployed
	return (deployed || j.mode == comparing) && jsonEqual(o.base.Object, o.desired.Object)
}
