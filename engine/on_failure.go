package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// isReverted reports whether a run that failed with err is one that is
// reverted: it deployed something, and no other operation has taken over.
func (r *run) isReverted(ctx context.Context, err error) bool {
	if r.passing || ctx.Err() != nil && r.opts.OnCancel != CancelIsFailure {
		return false
	}
	return err != nil && r.opts.OnFailure != LeaveFailed && r.begun && !r.lock.Lost() && !errors.Is(err, ErrSuperseded) &&
		(r.p.Kind == PlanInstall || r.p.Kind == PlanUpgrade)
}

// revert does what the options ask for about a deploy that has failed.
func (e *Engine) revert(ctx context.Context, failed *run, failure error) error {
	k := failed.p.Key
	out := &RevertError{Key: k, Err: failure, Failed: failed.record.Revision}
	opts := failed.opts
	policy := opts.OnFailure
	opts.OnFailure, opts.Release, opts.Supersede = LeaveFailed, nil, false
	opts.Key, opts.Kinds = Key{}, nil
	opts.Cause = "" // it has its own

	// It has a time of its own, since the caller's may be what has ended:
	// enough for hooks before, the wait, and hooks after.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*opts.timeout())
	defer cancel()
	revisions, err := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if err != nil {
		out.RevertErr = explain("roll back", k, diff.Object{}, fmt.Errorf("read the history: %w", err))
		return out
	}
	out.Target = healthyBefore(revisions, out.Failed)
	ask := opts.asking(forApply)
	ask.reverts = true
	ask.force = ask.force || failed.w.release.Force // what the deploy could take, going back can
	switch {
	case out.Target != 0:
		e.events.emit(Reverting{about(k), out.Failed, out.Target})
		out.Revision, out.RevertErr = e.planAndApply(ctx, k, OperationRollback, opts, func(ctx context.Context) (*Plan, error) {
			p, err := e.planRollback(ctx, k, out.Target, ask)
			if err == nil {
				err = checkUnchanged(p, out.Failed)
			}
			if err != nil {
				return nil, err
			}
			p.Cause = fmt.Sprintf("%s, because revision %d failed", p.Cause, out.Failed)
			p.work.record.Cause = p.Cause
			return p, nil
		})
	case policy == RollBackOrUninstall:
		e.events.emit(Reverting{about(k), out.Failed, 0})
		_, out.RevertErr = e.planAndApply(ctx, k, OperationUninstall, opts, func(ctx context.Context) (*Plan, error) {
			p, err := e.planUninstall(ctx, k, asking{purpose: forApply, reverts: true, unsafeDelete: opts.UnsafeDelete})
			if err == nil {
				err = checkUnchanged(p, out.Failed)
			}
			return p, err
		})
		out.Uninstalled = out.RevertErr == nil
	default:
		out.RevertErr = &Error{
			Op: "roll back", Key: k, Hint: "deploy again, or uninstall it; OnFailure: RollBackOrUninstall does that by itself",
			Err: fmt.Errorf("%w: none before revision %d was healthy", ErrRevisionNotFound, out.Failed),
		}
	}
	return out
}

// checkUnchanged fails if another operation has recorded a revision since the
// one that failed: what it has done is not undone.
func checkUnchanged(p *Plan, failed int) error {
	if p.From == failed {
		return nil
	}
	return &Error{
		Op: "roll back", Key: p.Key, Hint: "see History",
		Err: fmt.Errorf("%w: revision %d was recorded since", ErrSuperseded, p.From),
	}
}

// healthyBefore returns the newest revision before another that was healthy, as
// far as is known: one that was waited for rather than one that was not. It is
// 0 if there is none since the release was installed. Revisions are the oldest
// first.
func healthyBefore(revisions []storage.Meta, before int) int {
	notWaitedFor := 0
	for i := len(revisions) - 1; i >= 0; i-- {
		m := revisions[i]
		switch {
		case m.Revision >= before:
		case m.Status == storage.StatusUninstalled:
			return notWaitedFor // what was before has been given up
		case m.Status != storage.StatusDeployed && m.Status != storage.StatusSuperseded:
		case !m.Unproven:
			return m.Revision
		case notWaitedFor == 0:
			notWaitedFor = m.Revision
		}
	}
	return notWaitedFor
}
