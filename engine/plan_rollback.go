package engine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/storage"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// PlanRollback computes what Rollback would do.
func (e *Engine) PlanRollback(ctx context.Context, k Key, revision int, opts PlanOptions) (*Plan, error) {
	e = e.forCall()
	defer e.events.drain()
	if err := opts.validate(k); err != nil {
		return nil, err
	}
	ctx, asked := cluster.WithRequests(ctx)
	p, err := e.planRollback(ctx, k, revision, opts.asking())
	return e.planned("plan rollback", k, p, asked, err)
}

func (e *Engine) planRollback(ctx context.Context, k Key, revision int, a asking) (*Plan, error) {
	in, err := e.readRestore(ctx, "rollback", k, a)
	if err != nil {
		return nil, err
	}
	if revision == 0 {
		if revision = in.history.previous(); revision == 0 {
			return nil, &Error{Op: "rollback", Key: k, Hint: "History returns the stored revisions", Err: fmt.Errorf("%w: no earlier revision was deployed", ErrRevisionNotFound)}
		}
	}
	target, err := e.storedRevision(ctx, "rollback", k, revision)
	if err != nil {
		return nil, err
	}
	record := again(target, in.history.nextRevision())
	record.Cause, record.Status = cmp.Or(a.cause, rollbackCause(revision, target.Cause)), storage.StatusPendingRollback
	record, resumes := in.history.resumed(a, record, PlanRollback)
	p, err := e.planRestore(ctx, rollingBack, k, a, in, target, record, Plan{
		Kind: PlanRollback, Target: revision, Cause: record.Cause,
		work: &work{noted: noted{Reverts: a.revertsFrom, Target: revision}, resumes: resumes},
	}, "rollback")
	if err == nil {
		p.Report.Title = fmt.Sprintf("rollback %s to revision %d", k, revision)
	}
	return p, err
}

func rollbackCause(revision int, cause string) string {
	if cause == "" {
		return fmt.Sprintf("rollback to %d", revision)
	}
	return fmt.Sprintf("rollback to %d: %s", revision, cause)
}

// restoreInput is what going back to a stored revision is planned from.
type restoreInput struct {
	history   *history
	namespace namespaceState
}

func (e *Engine) readRestore(ctx context.Context, op string, k Key, a asking) (restoreInput, error) {
	if err := k.validate(); err != nil {
		return restoreInput{}, err
	}
	var in restoreInput
	var err error
	in.history, in.namespace, err = e.readNamespaceFor(ctx, k, a, true, false, func(ctx context.Context) (*history, error) { return e.besideLive(ctx, k, e.readHistory) })
	in.namespace.missing = false // what was in it is gone, and is reported as missing
	if err == nil && in.history.last == nil {
		err = notFound(op, k)
	}
	return in, err
}

// planRestore plans to make the objects of a stored revision the release's
// again.
func (e *Engine) planRestore(ctx context.Context, m mode, k Key, a asking, in restoreInput, target, record *storage.Record, begun Plan, event string) (*Plan, error) {
	desired, err := parseManifest(target.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", target.Revision, err)
	}
	p := e.premise(premise{
		key: k, mode: m, asking: a, cause: record.Cause,
		history: in.history, namespace: in.namespace, record: record, hidden: hookObjects(target),
	}, Release{})
	begun.Chart = chartName(record.Chart.Name, record.Chart.Version)
	return e.plan(ctx, p, wanted{objects: desired}, begun, event)
}
