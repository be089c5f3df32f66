package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
)

// Apply applies a plan, all of it and nothing else. It plans again first, and
// fails with *StalePlanError if that gives anything else: a field that the plan
// touches has changed, or a newer revision exists. Changes that the plan does
// not touch do not matter.
//
// A plan that was read from JSON is not trusted. The caller says what it is for:
// by ApplyOptions.Release for a deploy, by Key otherwise. One for another
// release is refused with ErrPlanRelease, one of a kind that was not asked for
// with ErrPlanKind, one for another cluster with ErrPlanCluster, before anything
// of the release is read.
//
// Applying a plan again goes on where it stopped, if its revision is the newest:
// what is left to do must be part of the plan, and what it says of the live
// objects still true. A plan that was applied completely writes nothing, and the
// revision that it recorded is returned. If other revisions came after it, the
// plan is stale, and StalePlanError.Applied says which was its own.
//
// It returns the recorded revision; for a plan that changes nothing, the
// newest one; for an uninstall, the last one. If something fails, the revision
// is recorded as failed and returned along with the error (*ApplyError or
// *NotReadyError), and the next call continues from there. If the context ends, it
// stays pending, unless opts.OnCancel says otherwise.
func (e *Engine) Apply(ctx context.Context, p *Plan, opts ApplyOptions) (*Revision, error) {
	e = e.forCall()
	if p == nil {
		return nil, &Error{Op: "apply", Err: errors.New("the plan is nil")}
	}
	if err := opts.validate(string(OperationApply), opts.target()); err != nil {
		return nil, err
	}
	if err := e.admit(ctx, p, opts); err != nil {
		return nil, err
	}
	withoutMissing := *p
	withoutMissing.Missing = nil // are those of its author
	if err := withoutMissing.refusal(opts.NoHooks); err != nil {
		return nil, err
	}
	identity, err := p.identity()
	if err != nil {
		return nil, &Error{Op: "apply", Key: p.Key, Err: err}
	}
	a := application{p, identity, opts}
	return e.carryOut(ctx, p.Key, OperationApply, opts, func(ctx context.Context) (*Plan, error) {
		if err := e.expected(p, opts); err != nil { // it may have expired while waiting
			return nil, err
		}
		fresh, err := e.planAgain(ctx, a, p.DryRun.again())
		if p.Kind == PlanUninstall && errors.Is(err, ErrReleaseNotFound) {
			return e.uninstalledBy(ctx, a, err)
		}
		if err != nil {
			return nil, err
		}
		return fresh, e.compare(ctx, a, fresh)
	})
}

// application is a reviewed plan that is being applied.
type application struct {
	*Plan
	identity string // of the plan, with all that it says
	opts     ApplyOptions
}

// compare returns an error unless the fresh plan is the one that was reviewed, or
// what is left of it.
func (e *Engine) compare(ctx context.Context, a application, fresh *Plan) error {
	c := &comparison{then: a.Plan, now: fresh, stored: a.work == nil, noHooks: a.opts.NoHooks}
	c.again = sync.OnceValues(func() (*Plan, error) { return e.planAgain(ctx, a, a.DryRun.again()) })
	c.local = sync.OnceValues(func() (*Plan, error) { return e.planAgain(ctx, a, DryRunNone) })
	if last := fresh.work.history.last; fresh.work.history.resumes(a.reviewed()) && last != nil && last.AppliedPlan == a.identity {
		return c.remainder()
	}
	err := c.run()
	var stale *StalePlanError
	if errors.As(err, &stale) {
		stale.Applied = fresh.work.history.appliedAs(a.identity)
	}
	return err
}

// planAgain makes a plan again from the current state.
func (e *Engine) planAgain(ctx context.Context, a application, dryRun DryRun) (*Plan, error) {
	p, opts := a.Plan, a.opts
	ask := opts.asking(forApply)
	ask.nonce, ask.reviewed, ask.DryRun, ask.renderedAt = p.Nonce, a.reviewed(), dryRun, p.RenderedAt
	if p.work != nil {
		ask.unsafeDelete = slices.Concat(p.work.unsafeDelete, opts.UnsafeDelete)
	} else {
		ask.purpose = forReview // as it was made, so that all of it can be compared
	}
	switch p.Kind {
	case PlanCorrection:
		return e.planCorrection(ctx, p.Key, ask)
	case PlanRollback:
		return e.planRollback(ctx, p.Key, p.Target, ask)
	case PlanUninstall:
		return e.planUninstall(ctx, p.Key, ask)
	case PlanRollout:
		return e.planRollout(ctx, p.Key, deref(p.Rollout), ask)
	}
	var r Release
	switch {
	case p.work != nil:
		r, ask.rendered, ask.values, ask.lookedUp, ask.seed = p.work.release, p.work.manifest, p.work.values, p.work.lookedUp, p.work.seed
	case opts.Release != nil:
		r = *opts.Release
	default:
		return nil, &Error{Op: "apply", Key: p.Key, Err: ErrSourceNeeded}
	}
	if r.Key != p.Key {
		return nil, &Error{Op: "apply", Key: p.Key, Err: ErrPlanRelease}
	}
	return e.planDeploy(ctx, r, ask)
}

// Deploy plans and applies in one call. If nothing changes, nothing is
// written, the history included, and the newest revision is returned; it still
// waits until that is ready, unless NoWait is set.
//
// What Plan checks by dry-run before anything is written is checked here too,
// except for ConfigMaps, opaque Secrets and ServiceAccounts: for those the API
// server's admission decides as they are written.
func (e *Engine) Deploy(ctx context.Context, r Release, opts ApplyOptions) (*Revision, error) {
	e = e.forCall()
	r.Cause = cmp.Or(opts.Cause, r.Cause)
	return e.carryOut(ctx, r.Key, OperationDeploy, opts, func(ctx context.Context) (*Plan, error) {
		return e.planDeploy(ctx, r, opts.asking(immediate))
	})
}

// Rollback goes back to an earlier revision: its manifest and values become a
// new revision. revision 0 is the latest earlier revision that was
// deployed.
func (e *Engine) Rollback(ctx context.Context, k Key, revision int, opts ApplyOptions) (*Revision, error) {
	e = e.forCall()
	return e.carryOut(ctx, k, OperationRollback, opts, func(ctx context.Context) (*Plan, error) {
		ask := opts.asking(immediate)
		ask.cause = opts.Cause
		return e.planRollback(ctx, k, revision, ask)
	})
}

// Uninstall deletes the release's objects in reverse order, and its history
// unless opts.KeepHistory. Objects with helm.sh/resource-policy: keep stay,
// and so do the claims of StatefulSets, which no manifest names; PlanUninstall
// lists them. Of a release that is uninstalled, with its history kept, it
// deletes the history.
func (e *Engine) Uninstall(ctx context.Context, k Key, opts ApplyOptions) error {
	e = e.forCall()
	_, err := e.carryOut(ctx, k, OperationUninstall, opts, func(ctx context.Context) (*Plan, error) {
		return e.planUninstall(ctx, k, asking{purpose: forApply, purge: !opts.KeepHistory, unsafeDelete: opts.UnsafeDelete})
	})
	return err
}
