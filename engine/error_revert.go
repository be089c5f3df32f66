package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// RevertError is returned when a deploy failed and ApplyOptions.OnFailure asked
// for something to be done about it. It unwraps to the error of the deploy, so
// that errors.As finds the same as without that option.
type RevertError struct {
	Key Key
	Err error // why the deploy failed
	// Failed is the number of the revision that failed.
	Failed int
	// Target is the revision of the rollback, 0 if there was none.
	Target int
	// Revision is what the rollback has recorded; nil if it recorded nothing.
	Revision *Revision
	// Uninstalled is set if the release was uninstalled.
	Uninstalled bool
	// RevertErr is why the rollback or uninstall failed; it may be any error that
	// Rollback and Uninstall return. Nil: it succeeded. It is
	// ErrRevisionNotFound if there was no revision to roll back to.
	RevertErr error
}

func (e *RevertError) Error() string { return clean.Text(e.text()) }

func (e *RevertError) text() string {
	text := e.Err.Error() + "\n"
	switch {
	case e.RevertErr == nil && e.Uninstalled:
		return text + "the release was uninstalled, as no earlier revision was healthy"
	case e.RevertErr == nil:
		return text + fmt.Sprintf("the release was rolled back to revision %d, as revision %d", e.Target, e.Revision.Revision)
	case e.Target != 0:
		return text + fmt.Sprintf("rolling back to revision %d failed: %v", e.Target, e.RevertErr)
	}
	return text + fmt.Sprintf("the release was left as it is: %v", e.RevertErr)
}

func (e *RevertError) Unwrap() error { return e.Err }
