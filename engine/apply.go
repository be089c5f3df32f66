package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultTimeout bounds the wait for readiness, and each hook.
const DefaultTimeout = 5 * time.Minute

// DefaultHistory is the number of revisions kept, which is Helm's.
const DefaultHistory = 10

// ApplyOptions are the settings of carrying out a plan. The zero value waits
// until all is ready.
type ApplyOptions struct {
	// NoWait returns as soon as everything is written. The revision is then
	// recorded as deployed although nobody knows whether it works.
	NoWait bool
	// Timeout bounds the wait for readiness, and each hook. 0: DefaultTimeout.
	Timeout time.Duration
	// Patience says what counts as hopeless, which ends the wait before the
	// timeout. Zero: the defaults.
	Patience Patience
	// Foreground deletes objects in the foreground: each stays, marked as being
	// deleted, until all that it owns is gone, such as a Deployment until its
	// pods are. False: what it owns is deleted in the background afterwards.
	Foreground bool
	// NoHooks leaves the chart's hooks out.
	NoHooks bool
	// History is the number of revisions to keep; the deployed one is never
	// deleted. 0: DefaultHistory. Negative: all.
	History int
	// KeepHistory leaves the revisions of an uninstalled release stored, the
	// last one as uninstalled.
	KeepHistory bool
	// LockTimeout is how long to wait for another deployer that is at work on
	// the release. 0: only until it is known whether that one lives, which
	// takes at most LeaseDuration; the call fails with ErrBusy if it does.
	LockTimeout time.Duration
	// Supersede takes the release over from a deployer that has written
	// everything and only waits for readiness; that one's call ends with
	// ErrSuperseded. It is seen within a third of LeaseDuration.
	Supersede bool
	// OnFailure says what is done if a deploy, or applying the plan of one,
	// fails after its revision was recorded. That has a time of its own, of at
	// most three times Timeout, also if the caller's context has ended; the
	// error is then a *RevertError. Empty: LeaveFailed.
	OnFailure OnFailure
	// Release is needed to apply a plan of a deploy that was read from JSON:
	// it is rendered again and must give what the plan was made from.
	Release *Release
}

func (o ApplyOptions) timeout() time.Duration {
	if o.Timeout <= 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

// Apply carries out a plan, all of it and nothing else. It plans again first,
// and refuses with *StalePlanError if that gives anything else: a field that
// the plan touches has changed, or a newer revision exists. Changes that the
// plan does not touch do not matter.
//
// It answers the recorded revision; for a plan that changes nothing, the
// revision there is; for an uninstall, the last one. If something fails, the
// revision is recorded as failed and answered along with the error
// (*ApplyError, *NotReadyError, or the context's), and the next call goes on
// from what is there.
func (e *Engine) Apply(ctx context.Context, p *Plan, opts ApplyOptions) (*Revision, error) {
	if p == nil {
		return nil, &Error{Op: "apply", Err: errors.New("the plan is nil")}
	}
	if err := p.refusal(opts.NoHooks); err != nil {
		return nil, err
	}
	return e.carryOut(ctx, p.Key, OperationApply, opts, func(ctx context.Context) (*Plan, error) {
		fresh, err := e.replan(ctx, p, opts)
		if err == nil {
			err = compareplans(p, fresh)
		}
		return fresh, err
	})
}

// replan makes the plan again from what there is now.
func (e *Engine) replan(ctx context.Context, p *Plan, opts ApplyOptions) (*Plan, error) {
	switch p.Kind {
	case PlanCorrection:
		return e.planRollback(ctx, p.Key, 0, PlanOptions{brief: true, correct: true})
	case PlanRollback:
		return e.planRollback(ctx, p.Key, p.Target, PlanOptions{brief: true})
	case PlanUninstall:
		return e.planUninstall(ctx, p.Key, PlanOptions{brief: true})
	case PlanRollout:
		return e.planRollout(ctx, p.Key, deref(p.Rollout), PlanOptions{brief: true})
	}
	var r Release
	switch {
	case p.work != nil:
		r = p.work.release
	case opts.Release != nil:
		r = *opts.Release
	default:
		return nil, &Error{Op: "apply", Key: p.Key, Hint: "a stored plan holds no manifest: set ApplyOptions.Release to what was planned", Err: ErrSourceNeeded}
	}
	if r.Key != p.Key {
		return nil, &Error{Op: "apply", Key: p.Key, Err: fmt.Errorf("the release given is %s", r.Key)}
	}
	again := PlanOptions{brief: true}
	if p.work != nil {
		again.rendered = p.work.manifest
	}
	return e.planDeploy(ctx, r, again)
}

// Deploy plans and applies in one call. If nothing changes, nothing is
// written, the history included, and the revision there is is answered; it
// still waits until that is ready, unless told not to.
//
// What Plan tries by dry-run before anything is written is tried here too, but
// for ConfigMaps, opaque Secrets and ServiceAccounts: of those the API
// server's admission is heard as they are written.
func (e *Engine) Deploy(ctx context.Context, r Release, opts ApplyOptions) (*Revision, error) {
	return e.carryOut(ctx, r.Key, OperationDeploy, opts, func(ctx context.Context) (*Plan, error) {
		return e.planDeploy(ctx, r, PlanOptions{brief: true, direct: true})
	})
}

// Rollback goes back to an earlier revision: its manifest and values become a
// new revision. revision 0 is the newest one before the present that was
// deployed.
func (e *Engine) Rollback(ctx context.Context, k Key, revision int, opts ApplyOptions) (*Revision, error) {
	return e.carryOut(ctx, k, OperationRollback, opts, func(ctx context.Context) (*Plan, error) {
		return e.planRollback(ctx, k, revision, PlanOptions{brief: true, direct: true})
	})
}

// Uninstall deletes the release's objects in reverse order, and its history
// unless opts.KeepHistory. Objects with helm.sh/resource-policy: keep stay,
// and so do the claims of StatefulSets, which no manifest names;
// PlanUninstall tells which. Of a release that is uninstalled, with its history
// kept, it deletes that.
func (e *Engine) Uninstall(ctx context.Context, k Key, opts ApplyOptions) error {
	_, err := e.carryOut(ctx, k, OperationUninstall, opts, func(ctx context.Context) (*Plan, error) {
		return e.planUninstall(ctx, k, PlanOptions{brief: true, purges: !opts.KeepHistory})
	})
	return err
}
