package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// OnFailure says what is done about a deploy that has failed.
type OnFailure string

const (
	// LeaveFailed leaves what there is; the next deploy goes on from there.
	// The default.
	LeaveFailed OnFailure = ""
	// RollBack goes back to the newest earlier revision that was healthy. If
	// there is none, as after a first install, what there is is left.
	RollBack OnFailure = "RollBack"
	// RollBackOrUninstall is RollBack, and uninstalls if there is no revision
	// to go back to. As with every uninstall, the claims of StatefulSets and
	// what is to be kept stay.
	RollBackOrUninstall OnFailure = "RollBackOrUninstall"
)

// RevertError is the error of a deploy that failed, and what was done about it
// by ApplyOptions.OnFailure. It unwraps to the error of the deploy, so that
// errors.As finds the same as without that option.
type RevertError struct {
	Key Key
	Err error // why the deploy failed
	// Failed is the number of the revision that failed.
	Failed int
	// Target is the revision that was gone back to, 0 if there was none.
	Target int
	// Revision is what going back has recorded; nil if it recorded nothing.
	Revision *Revision
	// Uninstalled is set if the release was uninstalled.
	Uninstalled bool
	// RevertErr says why going back, or uninstalling, failed; it may be any
	// error that Rollback and Uninstall return. Nil: it did not. It is
	// ErrRevisionNotFound if there was nothing to go back to.
	RevertErr error
}

func (e *RevertError) Error() string {
	text := e.Err.Error() + "\n"
	switch {
	case e.RevertErr == nil && e.Uninstalled:
		return text + "it was uninstalled, as no earlier revision was healthy"
	case e.RevertErr == nil:
		return text + fmt.Sprintf("it was rolled back to revision %d, as revision %d", e.Target, e.Revision.Revision)
	case e.Target != 0:
		return text + fmt.Sprintf("and rolling back to revision %d failed: %v", e.Target, e.RevertErr)
	}
	return text + fmt.Sprintf("and it was left as it is: %v", e.RevertErr)
}

func (e *RevertError) Unwrap() error { return e.Err }

// revert does what the options ask for about a deploy that has failed.
func (e *Engine) revert(ctx context.Context, failed *run, failure error) error {
	k := failed.p.Key
	out := &RevertError{Key: k, Err: failure, Failed: failed.record.Revision}
	opts := failed.opts
	policy := opts.OnFailure
	opts.OnFailure, opts.Release, opts.Supersede = LeaveFailed, nil, false

	// It has a time of its own, since the caller's may be what has ended:
	// enough for hooks before, the wait, and hooks after.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*opts.timeout())
	defer cancel()
	var err error
	if out.Target, err = e.healthyBefore(ctx, k, out.Failed); err != nil {
		out.RevertErr = explain("roll back", k, diff.Object{}, err)
		return out
	}
	// What others have done since is not undone.
	still := func(p *Plan, err error) (*Plan, error) {
		if err == nil && p.From != out.Failed {
			err = &Error{
				Op: "roll back", Key: k, Hint: "look at History",
				Err: fmt.Errorf("%w: revision %d was recorded since", ErrSuperseded, p.From),
			}
		}
		return p, err
	}
	switch {
	case out.Target != 0:
		e.events.emit(Reverting{about(k), out.Failed, out.Target})
		out.Revision, out.RevertErr = e.work(ctx, k, OperationRollback, opts, func(ctx context.Context) (*Plan, error) {
			p, err := still(e.planRollback(ctx, k, out.Target, PlanOptions{brief: true}))
			if err == nil {
				p.Cause = fmt.Sprintf("%s, because revision %d failed", p.Cause, out.Failed)
				p.work.record.Cause = p.Cause
			}
			return p, err
		})
	case policy == RollBackOrUninstall:
		e.events.emit(Reverting{about(k), out.Failed, 0})
		_, out.RevertErr = e.work(ctx, k, OperationUninstall, opts, func(ctx context.Context) (*Plan, error) {
			return still(e.planUninstall(ctx, k, PlanOptions{brief: true}))
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

// healthyBefore is the newest revision before another that was healthy, as far
// as is known: one that was waited for rather than one that was not. 0 if
// there is none since the release was installed.
func (e *Engine) healthyBefore(ctx context.Context, k Key, revision int) (int, error) {
	metas, err := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if err != nil {
		return 0, fmt.Errorf("read the history: %w", err)
	}
	unproven := 0
	for i := len(metas) - 1; i >= 0; i-- {
		m := metas[i]
		switch {
		case m.Revision >= revision:
			continue
		case m.Status == storage.StatusUninstalled:
			return unproven, nil // what was before has been given up
		case m.Status != storage.StatusDeployed && m.Status != storage.StatusSuperseded:
			continue
		case !m.Unproven:
			return m.Revision, nil
		case unproven == 0:
			unproven = m.Revision
		}
	}
	return unproven, nil
}

// reverts says whether a run that has failed with err is one that is to be
// reverted: it deployed something, and nobody else has taken over.
func (r *run) reverts(err error) bool {
	return err != nil && r.opts.OnFailure != LeaveFailed && r.begun && !r.lock.lost() && !errors.Is(err, ErrSuperseded) &&
		(r.p.Kind == PlanInstall || r.p.Kind == PlanUpgrade)
}
