package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
)

// Drift compares what is live with what the newest revision applied. Its
// report says what deploying that revision again would change; it is empty
// of changes if nobody has touched anything.
func (e *Engine) Drift(ctx context.Context, k Key) (diff.Report, error) {
	past, err := e.readPast(ctx, k)
	if err == nil && !past.installed() {
		err = notFound("drift", k)
	}
	if err != nil {
		return diff.Report{}, explain("drift", k, diff.Object{}, err)
	}
	p, err := e.planRollback(ctx, k, past.last.Revision, PlanOptions{})
	if err != nil {
		return diff.Report{}, explain("drift", k, diff.Object{}, err)
	}
	p.Report.Title = "drift of " + k.String()
	return p.Report, nil
}
