package engine

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

func (e *Engine) planUninstall(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	past, err := e.readPast(ctx, k)
	if err != nil {
		return nil, err
	}
	gone := past.last != nil && past.last.Status == storage.StatusUninstalled
	if past.last == nil || gone && !opts.purges {
		return nil, notFound("uninstall", k)
	}
	if gone {
		return &Plan{Kind: PlanUninstall, Key: k, work: &work{last: past.last, stock: past.stock, historyOnly: true}}, nil
	}
	pl := &planning{e: e, key: k, opts: opts, manager: e.opts.FieldManager, past: past, hooks: hookObjects(past.last), uninstalls: true}
	pl.foresee(nil)
	items, redactor, err := pl.objects(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Kind: PlanUninstall, Key: k,
		Chart: chartName(past.last.Chart.Name, past.last.Chart.Version),
		work:  &work{last: past.last, stock: past.stock, items: items, redactor: redactor},
	}
	if err := pl.finish(ctx, p, "delete"); err != nil {
		return nil, err
	}
	if !opts.brief {
		return p, pl.tellStaying(ctx, p)
	}
	return p, nil
}

// uninstall deletes what the release has, then its history.
func (r *run) uninstall(ctx context.Context) (*Revision, error) {
	r.record = r.w.last
	r.record.Status = storage.StatusUninstalling
	r.record.Description = describe(r.p, "in progress")
	err := r.e.store.Update(ctx, r.record)
	if errors.Is(err, storage.ErrChanged) || errors.Is(err, storage.ErrNotFound) {
		err = errRaced
	}
	if err != nil {
		return nil, explain("uninstall", r.p.Key, diff.Object{}, err)
	}
	r.e.events.emit(Planned{about(r.p.Key), r.p.Report.Summary(), countChanged(r.p.Report)})
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, StatusUninstalling})

	var parent *item
	var items []*item
	var targets []readiness.Target
	for _, it := range r.w.items {
		if it.parent {
			parent = it
		}
		if it.change.Action == "" || it.parent {
			continue
		}
		items = append(items, it)
		if it.change.Action == diff.Deleted {
			targets = append(targets, target(it))
		}
	}
	steps := []func() error{
		func() error { return r.hooks(ctx, "pre-delete") },
		func() error { return r.removeStages(ctx, items) },
		func() error {
			if r.opts.NoWait {
				return nil
			}
			ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
			defer cancel()
			if err := readiness.WaitGone(ctx, targets, r.e.waitOptions()); err != nil {
				return notReady(r.p.Key, r.record.Revision, r.w.redactor, err)
			}
			return nil
		},
		func() error { return r.closeSet(ctx, parent) },
		func() error { return r.hooks(ctx, "post-delete") },
	}
	var failure error
	for _, step := range steps {
		if failure = r.lock.check(ctx); failure == nil {
			failure = step()
		}
		if failure != nil {
			break
		}
	}
	skipped := r.skipRest(ctx)
	var failed *ApplyError
	if errors.As(failure, &failed) {
		failed.Operation, failed.Skipped = OperationUninstall, skipped
	}
	if r.lock.lost() {
		return revisionOf(r.record), lostError(r.p.Key)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if err := r.endUninstall(end, failure); err != nil {
		failure = errors.Join(failure, explain("record", r.p.Key, diff.Object{}, err))
	}
	return revisionOf(r.record), failure
}

func (r *run) endUninstall(ctx context.Context, failure error) error {
	if failure != nil {
		// Still "uninstalling": the next Uninstall goes on from there.
		r.record.Description = short(r.w.redactor.String(describe(r.p, "failed: "+headline(failure))))
		return r.e.store.Update(ctx, r.record)
	}
	r.record.Status = storage.StatusUninstalled
	r.record.Description = describe(r.p, "complete")
	r.record.Deleted = time.Now()
	if r.opts.KeepHistory {
		if err := r.e.store.Update(ctx, r.record); err != nil {
			return err
		}
	} else {
		if err := r.e.store.Forget(ctx, r.p.Key.Namespace, r.w.stock); err != nil {
			return err
		}
	}
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, StatusUninstalled})
	return nil
}
