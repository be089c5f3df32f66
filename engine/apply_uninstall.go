package engine

import (
	"context"
	"errors"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// uninstall deletes what the release has, then its history.
func (r *run) uninstall(ctx context.Context) (*Revision, error) {
	if err := r.recordUninstalling(ctx); err != nil {
		return nil, explain("uninstall", r.p.Key, diff.Object{}, err)
	}
	g := groupSteps(r.w.steps)
	_, failure := r.runPhases(ctx, []phase{
		{do: func(ctx context.Context) error { return r.runHooks(ctx, "pre-delete") }},
		{do: func(ctx context.Context) error { return r.deleteAll(ctx, g.deleted) }},
		{do: func(ctx context.Context) error { return r.waitDeleted(ctx, g.deleted) }},
		{do: func(ctx context.Context) error { return r.closeSet(ctx, g.parent) }},
		{do: func(ctx context.Context) error { return r.runHooks(ctx, "post-delete") }},
	})
	if r.lock.Lost() {
		return r.revision(), lostError(r.p.Key)
	}
	if errors.Is(failure, errRaced) {
		return nil, failure
	}
	if r.staysPending(ctx, failure) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
		defer cancel()
		failure = r.pending(end, failure)
		return r.revision(), failure
	}
	skipped := r.skipRest(ctx)
	var failed *ApplyError
	if errors.As(failure, &failed) {
		failed.Operation, failed.Skipped = OperationUninstall, skipped
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if err := r.recordUninstalled(end, failure, r.opts.KeepHistory); err != nil {
		failure = errors.Join(failure, explain("record", r.p.Key, diff.Object{}, err))
	}
	return r.revision(), failure
}

// waitDeleted waits until what was deleted is gone.
func (r *run) waitDeleted(ctx context.Context, steps []int) error {
	if r.opts.NoWait {
		return nil
	}
	var targets []readiness.Target
	for _, i := range steps {
		if s := r.w.steps[i]; s.change.Action == diff.Deleted {
			targets = append(targets, readinessTarget(s.object.target, s.object.live))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	if err := r.waitGoneFor(ctx, targets); err != nil {
		return notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err)
	}
	return nil
}
