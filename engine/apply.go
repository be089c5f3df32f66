package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
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
	if err := p.Err(); err != nil {
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
	case PlanRollback:
		return e.planRollback(ctx, p.Key, p.Target, PlanOptions{brief: true})
	case PlanUninstall:
		return e.planUninstall(ctx, p.Key, PlanOptions{brief: true})
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
	return e.planDeploy(ctx, r, PlanOptions{brief: true})
}

// Deploy plans and applies in one call. If nothing changes, nothing is
// written, the history included, and the revision there is is answered; it
// still waits until that is ready, unless told not to.
func (e *Engine) Deploy(ctx context.Context, r Release, opts ApplyOptions) (*Revision, error) {
	return e.carryOut(ctx, r.Key, OperationDeploy, opts, func(ctx context.Context) (*Plan, error) {
		return e.planDeploy(ctx, r, PlanOptions{brief: true})
	})
}

// Rollback goes back to an earlier revision: its manifest and values become a
// new revision. revision 0 is the newest one before the present that was
// deployed.
func (e *Engine) Rollback(ctx context.Context, k Key, revision int, opts ApplyOptions) (*Revision, error) {
	return e.carryOut(ctx, k, OperationRollback, opts, func(ctx context.Context) (*Plan, error) {
		return e.planRollback(ctx, k, revision, PlanOptions{brief: true})
	})
}

// Uninstall deletes the release's objects in reverse order, and its history
// unless opts.KeepHistory. Objects with helm.sh/resource-policy: keep stay,
// and so do the claims of StatefulSets, which no manifest names;
// PlanUninstall tells which.
func (e *Engine) Uninstall(ctx context.Context, k Key, opts ApplyOptions) error {
	_, err := e.carryOut(ctx, k, OperationUninstall, opts, func(ctx context.Context) (*Plan, error) {
		return e.planUninstall(ctx, k, PlanOptions{brief: true})
	})
	return err
}

// recordingTime is what recording the outcome may take after the caller's
// context has ended.
const recordingTime = 15 * time.Second

// maxRaces bounds how often a plan is made again because another deployer,
// without a lock, recorded a revision in between.
const maxRaces = 5

// carryOut plans, and carries the plan out under the release's lock. What was
// planned while another deployer was at work is planned again.
func (e *Engine) carryOut(ctx context.Context, k Key, operation Operation, opts ApplyOptions, plan func(context.Context) (*Plan, error)) (rev *Revision, err error) {
	op := string(operation)
	defer e.tell(operation, k)(&rev, &err) // when the lock is released
	var held *lock
	defer func() { held.release() }()
	for race := 0; ; race++ {
		p, err := plan(ctx)
		if err != nil {
			return nil, explain(op, k, diff.Object{}, err)
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		if err := p.work.hooksRefused; err != nil && !opts.NoHooks {
			return nil, err
		}
		if !p.Changed() {
			return e.leave(ctx, p, opts)
		}
		r := &run{e: e, p: p, w: p.work, opts: opts, record: p.work.record}
		if held == nil {
			if p.work.createNamespace {
				if err := r.createNamespace(ctx); err != nil {
					return nil, explain(op, k, diff.Object{}, err)
				}
			}
			if held, err = e.acquire(ctx, k, opts); err != nil {
				return nil, explain(op, k, diff.Object{}, err)
			}
			if held != nil && held.waited {
				continue // the other one has changed what was planned from
			}
		}
		r.lock = held
		rev, err := r.execute(ctx)
		if !errors.Is(err, errRaced) {
			return rev, err
		}
		if race == maxRaces {
			return nil, &Error{Op: op, Key: k, Hint: "call again when it has finished", Err: fmt.Errorf("%w: it recorded revision %d first", ErrBusy, r.record.Revision)}
		}
	}
}

// errRaced: another deployer recorded the revision that was planned.
var errRaced = errors.New("the revision was recorded by another deployer")

// leave is what is done for a plan that changes nothing.
func (e *Engine) leave(ctx context.Context, p *Plan, opts ApplyOptions) (*Revision, error) {
	e.events.emit(Planned{about(p.Key), p.Report.Summary(), 0})
	r := &run{e: e, p: p, w: p.work, opts: opts, record: p.work.last}
	r.tellUnchanged()
	return revisionOf(r.record), r.waitReady(ctx)
}

// execute carries out the plan under the lock.
func (r *run) execute(ctx context.Context) (*Revision, error) {
	working := ctx
	if r.lock != nil {
		working = r.lock.ctx
	}
	if r.p.Kind == PlanUninstall {
		return r.uninstall(working)
	}
	if err := r.begin(working); err != nil {
		return nil, explain("record", r.p.Key, diff.Object{}, err)
	}
	err := r.deploy(working)
	if r.lock.lost() {
		// The other one has the word on the record too.
		return revisionOf(r.record), lostError(r.p.Key)
	}

	// The outcome is recorded even if the caller has given up.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if recordErr := r.end(end, err); recordErr != nil {
		err = errors.Join(err, explain("record", r.p.Key, diff.Object{}, recordErr))
	}
	return revisionOf(r.record), err
}

// begin records the pending revision, before anything else is written.
func (r *run) begin(ctx context.Context) error {
	now := time.Now()
	r.record.LastDeployed, r.record.FirstDeployed = now, now
	if r.w.last != nil && !r.w.last.FirstDeployed.IsZero() {
		r.record.FirstDeployed = r.w.last.FirstDeployed
	}
	r.record.Description = describe(r.p, "in progress")
	err := r.e.store.Create(ctx, r.record)
	if errors.Is(err, storage.ErrRevisionExists) {
		return errRaced
	}
	if err != nil {
		return err
	}
	r.e.events.emit(Planned{about(r.p.Key), r.p.Report.Summary(), countChanged(r.p.Report)})
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, RevisionStatus(r.record.Status)})
	return nil
}

// end records the outcome: deployed and the others superseded, or failed.
func (r *run) end(ctx context.Context, failure error) error {
	if failure != nil {
		r.record.Status = storage.StatusFailed
		r.record.Description = r.w.redactor.String(describe(r.p, "failed: "+oneLine(failure.Error())))
	} else {
		r.record.Status = storage.StatusDeployed
		r.record.Description = describe(r.p, "complete")
	}
	if err := r.e.store.Update(ctx, r.record); err != nil {
		return err
	}
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, RevisionStatus(r.record.Status)})
	keep := r.opts.History
	if keep == 0 {
		keep = DefaultHistory
	}
	if failure != nil {
		return r.trimAttempts(ctx, keep)
	}
	for _, m := range r.w.history {
		if err := r.retire(ctx, m); err != nil {
			return err
		}
	}
	if keep < 0 || len(r.w.history) < keep {
		return nil
	}
	return r.e.store.Trim(ctx, r.p.Key.Namespace, r.p.Key.Name, keep)
}

// retire tells of an earlier revision that it is the present one no longer. One
// whose deployer never told the outcome was not healthy, as far as is known,
// and so is nothing to go back to unasked.
func (r *run) retire(ctx context.Context, m storage.Meta) error {
	status, why := storage.StatusSuperseded, ""
	switch {
	case m.Status == storage.StatusDeployed:
	case m.Status.Pending(), m.Status == storage.StatusUninstalling:
		status, why = storage.StatusFailed, fmt.Sprintf("interrupted before its outcome was known; revision %d followed", r.record.Revision)
	default:
		return nil
	}
	changed := func(err error) bool { return errors.Is(err, storage.ErrChanged) }
	err := retry.OnError(backoff, changed, func() error {
		old, err := r.e.store.Get(ctx, m.Namespace, m.Name, m.Revision)
		if err != nil {
			return err
		}
		if old.Status = status; why != "" {
			old.Description = why
		}
		return r.e.store.Update(ctx, old)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // trimmed by another deployer
	}
	return err
}

// describe is what the history shows, in Helm's own phrases.
func describe(p *Plan, outcome string) string {
	switch p.Kind {
	case PlanInstall:
		return "Install " + outcome
	case PlanRollback:
		if outcome == "complete" {
			return fmt.Sprintf("Rollback to %d", p.Target)
		}
		return fmt.Sprintf("Rollback to %d %s", p.Target, outcome)
	case PlanUninstall:
		return "Uninstallation " + outcome
	}
	return "Upgrade " + outcome
}
