package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
)

// Drift compares what is live with what the newest revision applied. Its
// report says what setting that right would change, each field with the
// manager that changed it and, where managedFields tell, when; it is empty of
// changes if nobody has touched anything. PlanCorrection gives the same as a
// plan.
//
// If the newest revision failed, or is pending, each object is compared with
// the revision that wrote it last: what that one did not come to is no drift.
// While the release is being uninstalled there is none: ErrUnfinished.
//
// Who has removed a field or deleted an object is not recorded in the cluster.
func (e *Engine) Drift(ctx context.Context, k Key) (diff.Report, error) {
	p, err := e.planRollback(ctx, k, 0, PlanOptions{correct: true, drift: true})
	if err != nil {
		return diff.Report{}, explain("drift", k, diff.Object{}, err)
	}
	p.Report.Title = "drift of " + k.String()
	return p.Report, nil
}
