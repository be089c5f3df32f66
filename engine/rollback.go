package engine

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

func (e *Engine) planRollback(ctx context.Context, k Key, revision int, opts PlanOptions) (*Plan, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	var past *past
	var uid types.UID
	err := together(ctx,
		func(ctx context.Context) (err error) { past, err = e.readPast(ctx, k); return err },
		func(ctx context.Context) (err error) {
			uid, _, err = e.namespace(ctx, Release{Key: k, CreateNamespace: true})
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	if past.last == nil || opts.correct && !past.installed() {
		return nil, notFound(opts.op(), k)
	}
	if opts.correct {
		if err := past.unfinished(k, opts); err != nil {
			return nil, err
		}
		revision = past.last.Revision
	}
	if revision == 0 {
		if revision = past.previous(); revision == 0 {
			return nil, &Error{Op: "rollback", Key: k, Hint: "History shows the revisions there are", Err: fmt.Errorf("%w: none before the present one was deployed", ErrRevisionNotFound)}
		}
	}
	target, err := e.store.Get(ctx, k.Namespace, k.Name, revision)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, revisionNotFound(opts.op(), k, revision)
	}
	if err != nil {
		return nil, err
	}
	desired, err := parseManifest(target.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", revision, err)
	}

	pl := &planning{e: e, key: k, opts: opts, manager: e.opts.FieldManager, cause: target.Cause, past: past, hooks: hookObjects(target), namespaceUID: uid, back: true, correct: opts.correct, told: opts.drift && !settled(past.last.Status)}
	record := target.Again(past.nextRevision())
	record.Cause = rollbackCause(revision, target.Cause)
	record.Status = storage.StatusPendingRollback
	pl.foresee(record)
	items, redactor, err := pl.objects(ctx, desired, nil)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Kind: PlanRollback, Key: k, Target: revision, Cause: record.Cause,
		Chart: chartName(record.Chart.Name, record.Chart.Version),
		work:  &work{record: record, last: past.last, stock: past.stock, attempts: past.base, items: items, redactor: redactor},
	}
	event := "rollback"
	if opts.correct {
		// Nothing new is rolled out: no hook has anything to do.
		p.Kind, p.Cause, event = PlanCorrection, target.Cause, ""
		record.Cause, record.Status = target.Cause, storage.StatusPendingUpgrade
	}
	if err := pl.finish(ctx, p, event); err != nil {
		return nil, err
	}
	if opts.correct {
		p.Report.Title = fmt.Sprintf("correct drift of %s from revision %d", k, revision)
		return p, nil
	}
	p.Report.Title = fmt.Sprintf("rollback %s to revision %d", k, revision)
	return p, nil
}

// previous is the newest revision before the last one that was healthy once;
// 0 if there is none.
func (p *past) previous() int {
	for i := len(p.stock.Revisions) - 2; i >= 0; i-- {
		if s := p.stock.Revisions[i].Status; s == storage.StatusSuperseded || s == storage.StatusDeployed {
			return p.stock.Revisions[i].Revision
		}
	}
	return 0
}

func rollbackCause(revision int, cause string) string {
	if cause == "" {
		return fmt.Sprintf("rollback to %d", revision)
	}
	return fmt.Sprintf("rollback to %d: %s", revision, cause)
}
