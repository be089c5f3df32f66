package engine

import (
	"context"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// PlanCorrection computes what undoes the drift of the newest revision: what
// Drift shows, as a plan to apply. Fields that other managers have changed are
// taken back from them; rules of Options.Ownership still apply, and replicas
// that an autoscaler sets stay. No hooks run. A correction that changes anything
// is recorded as a revision of its own.
//
// It restores what was healthy. It fails with ErrUnfinished if the newest
// revision failed, or is pending, and wants anything that the last healthy one
// did not, or if an uninstall has begun.
func (e *Engine) PlanCorrection(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	e = e.forCall()
	defer e.events.drain()
	if err := opts.validate(k); err != nil {
		return nil, err
	}
	ctx, asked := cluster.WithRequests(ctx)
	p, err := e.planCorrection(ctx, k, opts.asking())
	return e.planned("plan correction", k, p, asked, err)
}

func (e *Engine) planCorrection(ctx context.Context, k Key, a asking) (*Plan, error) {
	in, err := e.readInstalled(ctx, "plan correction", k, a)
	if err != nil {
		return nil, err
	}
	// To correct what did not become healthy would finish a deploy, without its
	// hooks.
	if last := in.history.last; !wasHealthy(last.Status) && !in.history.onlyRepeats() {
		return nil, unfinished("plan correction", k, last, "deploy again, or roll back")
	}
	p, err := e.planLast(ctx, correcting, k, a, in)
	if err == nil {
		p.Report.Title = fmt.Sprintf("correct drift of %s from revision %d", k, p.Target)
	}
	return p, err
}

// Drift compares what is live with what the newest revision applied. Its
// report shows what a correction would change, each field with the manager that
// changed it and, where managedFields say so, when; it has no changes if the
// live objects are as they were applied. PlanCorrection returns the same as a
// plan.
//
// If the newest revision failed, or is pending, each object is compared with
// the revision that wrote it last: what the newest one did not get to is not
// drift. While the release is being uninstalled, Drift fails with
// ErrUnfinished.
//
// The cluster does not record who removed a field or deleted an object.
func (e *Engine) Drift(ctx context.Context, k Key) (diff.Report, error) {
	e = e.forCall()
	call := cacheable[diff.Report]{slot{k, "drift"}, arguments{}, keptDrift}
	report, _, err := recall(ctx, e, call, func(ctx context.Context) (diff.Report, error) {
		p, err := e.planDrift(ctx, k)
		if err != nil {
			return diff.Report{}, err
		}
		p.Report.Title = "drift of " + k.String()
		return p.Report, nil
	})
	if err != nil {
		return diff.Report{}, explain("drift", k, diff.Object{}, err)
	}
	return report, nil
}

func (e *Engine) planDrift(ctx context.Context, k Key) (*Plan, error) {
	in, err := e.readInstalled(ctx, "drift", k, asking{purpose: immediate})
	if err != nil {
		return nil, err
	}
	m := correcting
	if !wasHealthy(in.history.last.Status) {
		m = comparing
	}
	return e.planLast(ctx, m, k, asking{}, in)
}

// readInstalled reads a release that may have objects in the cluster, and is
// not being uninstalled.
func (e *Engine) readInstalled(ctx context.Context, op string, k Key, a asking) (restoreInput, error) {
	in, err := e.readRestore(ctx, op, k, a)
	switch {
	case err != nil:
		return restoreInput{}, err
	case !in.history.installed():
		return restoreInput{}, notFound(op, k)
	case in.history.last.Status == storage.StatusUninstalling:
		return restoreInput{}, unfinished(op, k, in.history.last, "call Uninstall again to finish it, or Deploy to keep the release")
	}
	return in, nil
}

func unfinished(op string, k Key, last *storage.Record, hint string) error {
	return &Error{Op: op, Key: k, Hint: hint, Err: fmt.Errorf("%w: revision %d is %s", ErrUnfinished, last.Revision, last.Status)}
}

// planLast plans to restore the newest revision. Nothing new is rolled out, so
// no hooks run.
func (e *Engine) planLast(ctx context.Context, m mode, k Key, a asking, in restoreInput) (*Plan, error) {
	last := in.history.last
	record := again(last, in.history.nextRevision())
	record.Cause, record.Status = last.Cause, storage.StatusPendingUpgrade
	record, resumes := in.history.resumed(a, record, PlanCorrection)
	return e.planRestore(ctx, m, k, a, in, last, record, Plan{Kind: PlanCorrection, Target: last.Revision, Cause: last.Cause, work: &work{resumes: resumes}}, "")
}
