package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// recordingTime is what recording the outcome may take after the caller's
// context has ended.
const recordingTime = 15 * time.Second

// maxRaces bounds how often a plan is made again because another deployer,
// without a lock, recorded a revision in between.
const maxRaces = 5

// carryOut plans, and carries the plan out under the release's lock. What was
// planned while another deployer was at work is planned again.
func (e *Engine) carryOut(ctx context.Context, k Key, operation Operation, opts ApplyOptions, plan func(context.Context) (*Plan, error)) (rev *Revision, err error) {
	defer e.tell(operation, k)(&rev, &err) // when the lock is released
	return e.work(ctx, k, operation, opts, plan)
}

func (e *Engine) work(ctx context.Context, k Key, operation Operation, opts ApplyOptions, plan func(context.Context) (*Plan, error)) (*Revision, error) {
	op := string(operation)
	var held *lock
	defer func() { held.release() }()
	for race := 0; ; race++ {
		p, err := plan(ctx)
		if err != nil {
			return nil, explain(op, k, diff.Object{}, err)
		}
		if p.work.historyOnly {
			return revisionOf(p.work.last), explain(op, k, diff.Object{}, e.store.Forget(ctx, k.Namespace, p.work.stock))
		}
		if err := p.refusal(opts.NoHooks); err != nil {
			if race < maxRaces && e.waitTerminated(ctx, p, opts) {
				continue
			}
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
		if r.reverts(err) {
			held.release() // its context may have ended
			held = nil
			return rev, e.revert(ctx, r, err)
		}
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
	if err := r.tidy(ctx); err != nil {
		return revisionOf(r.record), explain("record", p.Key, diff.Object{}, err)
	}
	return revisionOf(r.record), r.waitReady(ctx)
}

// tidy finishes what a deployer left that was killed when its work was done:
// earlier revisions still called deployed, and its Lease.
func (r *run) tidy(ctx context.Context) error {
	if err := r.retireAll(ctx, r.w.stock.Revisions[:max(0, len(r.w.stock.Revisions)-1)]); err != nil {
		return err
	}
	r.e.sweepLease(ctx, r.p.Key)
	return nil
}

// waitTerminated waits until objects that the plan wants, and that are being
// deleted, are gone, if nothing else stands in its way. It says whether they
// are.
func (e *Engine) waitTerminated(ctx context.Context, p *Plan, opts ApplyOptions) bool {
	others := func(pr Problem) bool {
		if pr.Hook {
			return !opts.NoHooks
		}
		return pr.Kind != ProblemTerminating
	}
	if len(p.Problems) == 0 || slices.ContainsFunc(p.Problems, others) || len(p.Missing) > 0 {
		return false
	}
	var targets []readiness.Target
	for _, it := range p.work.items {
		if it.has(ProblemTerminating) && it.live != nil {
			targets = append(targets, target(it))
			e.events.emit(Waiting{of: about(p.Key), Object: it.object, Message: "it is being deleted"})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	return len(targets) == 0 || readiness.WaitGone(ctx, targets, e.waitOptions()) == nil
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
	r.begun = true
	r.e.events.emit(Planned{about(r.p.Key), r.p.Report.Summary(), countChanged(r.p.Report)})
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, RevisionStatus(r.record.Status)})
	return nil
}

// end records the outcome: deployed and the others superseded, or failed.
func (r *run) end(ctx context.Context, failure error) error {
	if failure != nil {
		r.record.Status = storage.StatusFailed
		r.record.Description = short(r.w.redactor.String(describe(r.p, "failed: "+headline(failure))))
	} else if r.p.Kind == PlanRollout && r.w.last.Status != storage.StatusDeployed {
		// What it goes on from is still not healthy as a whole.
		r.record.Status = storage.StatusFailed
		r.record.Description = fmt.Sprintf("%s; revision %d before it is %s", describe(r.p, "complete"), r.w.last.Revision, r.w.last.Status)
	} else {
		r.record.Status = storage.StatusDeployed
		r.record.Unproven = r.opts.NoWait
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
	if r.record.Status == storage.StatusFailed {
		return r.trimAttempts(ctx, keep)
	}
	return r.settleHistory(ctx, keep)
}

// settleHistory makes the recorded revision the only one that is deployed, and
// forgets the oldest ones. The lock is given back meanwhile: whoever is next
// knows the outcome, and does himself what is not done.
func (r *run) settleHistory(ctx context.Context, keep int) error {
	stock := r.w.stock
	stock.Revisions = append(slices.Clone(stock.Revisions), r.record.Meta())
	for i, m := range r.w.stock.Revisions {
		if m.Status == storage.StatusDeployed { // no longer
			stock.Revisions[i].Status = storage.StatusSuperseded
		}
	}
	// None of these keeps the others from being done.
	var retired, trimmed error
	err := together(ctx,
		func(context.Context) error { r.lock.release(); return nil },
		func(ctx context.Context) error { retired = r.retireAll(ctx, r.w.stock.Revisions); return nil },
		func(ctx context.Context) error {
			if keep > 0 {
				trimmed = r.e.store.Trim(ctx, r.p.Key.Namespace, stock, keep)
			}
			return nil
		},
	)
	return errors.Join(err, retired, trimmed)
}

func (r *run) retireAll(ctx context.Context, revisions []storage.Meta) error {
	work := newLimited(ctx, r.e.opts.Concurrency)
	for _, m := range revisions {
		work.do(func(ctx context.Context) error { return r.retire(ctx, m) })
	}
	return work.wait()
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
	old := r.w.attempt(m.Revision) // as planning read it, which saves reading it again
	err := retry.OnError(backoff, changed, func() (err error) {
		if old == nil {
			if old, err = r.e.store.Get(ctx, m.Namespace, m.Name, m.Revision); err != nil {
				return err
			}
		}
		if old.Status = status; why != "" {
			old.Description = why
		}
		if err = r.e.store.Update(ctx, old); err != nil {
			old = nil
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // trimmed by another deployer
	}
	return err
}

// attempt is a copy of an earlier revision as planning read it; nil if it did
// not.
func (w *work) attempt(revision int) *storage.Record {
	for _, r := range w.attempts {
		if r.Revision == revision {
			again := *r
			return &again
		}
	}
	return nil
}

// describe is what the history shows, in Helm's own phrases.
func describe(p *Plan, outcome string) string {
	switch p.Kind {
	case PlanInstall:
		return "Install " + outcome
	case PlanCorrection:
		return fmt.Sprintf("Correction of drift from %d %s", p.Target, outcome)
	case PlanRollback:
		if outcome == "complete" {
			return fmt.Sprintf("Rollback to %d", p.Target)
		}
		return fmt.Sprintf("Rollback to %d %s", p.Target, outcome)
	case PlanUninstall:
		return "Uninstallation " + outcome
	case PlanRollout:
		return p.Rollout.String() + " " + outcome
	}
	return "Upgrade " + outcome
}
