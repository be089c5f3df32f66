package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Reconcile takes one pass towards the release, and never waits for anything but
// the API server: it plans, writes what can be written now, judges what was
// written before, records the outcome once that is known, and returns where the
// release is. Call it again when Progress.After has passed, when an object of the
// release has changed, or when the release has.
//
// What passes need to know of each other is in the recorded revision: any process
// can take the next one, after any crash. Hooks, waves and depends-on hold as in
// Deploy, timeouts and FailurePolicy count from what earlier passes have recorded,
// and no hook runs twice for one revision. A revision that a Deploy has left
// pending because its context ended is gone on with, too.
//
// A release that is as wanted costs no write. A chart whose templates print the
// time or the number of the revision is compared as it was rendered for the newest
// revision, and so does not change by itself.
//
// An error means that the pass could not be completed, as when the API server
// cannot be reached or the chart does not render: call again, later each time.
// What is wrong with the release itself is in Progress. Passes over one release
// may run at once: all but one find it Busy.
func (e *Engine) Reconcile(ctx context.Context, r Release, opts ReconcileOptions) (Progress, error) {
	apply := opts.apply()
	r.Cause = cmp.Or(apply.Cause, r.Cause)
	given := func() (arguments, bool) { return e.cache.argumentsOf(r, opts) }
	return e.reconcile(ctx, r.Key, OperationReconcile, opts, given, func(ctx context.Context, e *Engine) (*Plan, error) {
		ask := apply.asking(immediate)
		ask.pass = true
		return e.planDeploy(ctx, r, ask)
	})
}

// ReconcileRollback takes one pass towards an earlier revision, as Reconcile does
// towards a release. revision is one that is stored, not 0: "the one before" would
// be another with each pass.
func (e *Engine) ReconcileRollback(ctx context.Context, k Key, revision int, opts ReconcileOptions) (Progress, error) {
	if revision <= 0 {
		return Progress{Key: k}, refused(string(OperationRollback), k, invalid("revision", "is %d; accepted are revisions that History lists", revision))
	}
	apply := opts.apply()
	return e.reconcile(ctx, k, OperationRollback, opts, nil, func(ctx context.Context, e *Engine) (*Plan, error) {
		ask := apply.asking(immediate)
		ask.pass, ask.cause = true, opts.Cause
		return e.planRollback(ctx, k, revision, ask)
	})
}

// ReconcileCorrection takes one pass towards the release as its newest revision
// recorded it, without what others have changed since; see PlanCorrection.
func (e *Engine) ReconcileCorrection(ctx context.Context, k Key, opts ReconcileOptions) (Progress, error) {
	apply := opts.apply()
	given := func() (out arguments, ok bool) {
		out.digest, ok = e.cache.digest(optionArgumentsOf(opts))
		return out, ok
	}
	return e.reconcile(ctx, k, OperationApply, opts, given, func(ctx context.Context, e *Engine) (*Plan, error) {
		ask := apply.asking(immediate)
		ask.pass = true
		return e.planCorrection(ctx, k, ask)
	})
}

// ReconcileUninstall takes one pass towards the release being gone. Its last one
// returns PhaseUninstalled, and so do those after it.
func (e *Engine) ReconcileUninstall(ctx context.Context, k Key, opts ReconcileOptions) (Progress, error) {
	p, err := e.reconcile(ctx, k, OperationUninstall, opts, nil, func(ctx context.Context, e *Engine) (*Plan, error) {
		return e.planUninstall(ctx, k, asking{purpose: immediate, pass: true, purge: !opts.KeepHistory, unsafeDelete: opts.UnsafeDelete})
	})
	if errors.Is(err, ErrReleaseNotFound) {
		return Progress{Key: k, Phase: PhaseUninstalled}, nil
	}
	return p, err
}

// reconcile takes one pass, and reports its events. given is what it is given, by
// which its progress may be remembered; nil: it is not.
func (e *Engine) reconcile(ctx context.Context, k Key, operation Operation, opts ReconcileOptions, given func() (arguments, bool), plan func(context.Context, *Engine) (*Plan, error)) (out Progress, err error) {
	e = e.forCall()
	out.Key = k
	if err := opts.validate(string(operation), k); err != nil {
		return out, err
	}
	if len(e.opts.PlanSigners) > 0 {
		return out, &Error{Op: string(operation), Key: k, Hint: "plan, have the plan signed, and call Apply", Err: ErrPlanSignature}
	}
	report := e.reportCall(operation, k)
	defer func() {
		ended := cmp.Or(err, out.Err)
		report(&out.Revision, &ended)
	}()
	p := &pass{e: e, key: k, operation: operation, opts: opts, apply: opts.apply(), plan: func(ctx context.Context) (*Plan, error) { return plan(ctx, e) }}
	return p.recall(e.writing(ctx, k), given)
}

// recall takes the pass, unless the progress of an earlier one still holds.
func (s *pass) recall(ctx context.Context, given func() (arguments, bool)) (Progress, error) {
	if !s.e.opts.Cache || given == nil {
		return s.take(ctx)
	}
	a, ok := given()
	if !ok {
		return s.take(ctx)
	}
	out, again, err := recall(ctx, s.e, cacheable[Progress]{slot{s.key, string(s.operation)}, a, s.kept}, s.take)
	if again {
		s.e.events.emit(Planned{about(s.key), out.Plan.Report.Summary(), 0, true})
		for _, c := range out.Plan.Report.Changes {
			if c.Action == diff.Kept {
				s.e.events.emit(Kept{about(s.key), c.Object, c.Reason})
				continue
			}
			s.e.events.emit(Applied{about(s.key), c.Object, c.Action, 0})
		}
	}
	return out, err
}

// kept is keptProgress of what does not depend on the time: templates may read it,
// and only what is rendered as the newest revision was is rendered the same again.
func (s *pass) kept(p Progress) (Progress, int, bool) {
	if p.Plan != nil && p.Plan.work != nil && p.Plan.Kind.deploys() && !p.Plan.RenderedAt.Equal(readNotes(p.Plan.work.history.last).RenderedAt) {
		return Progress{}, 0, false
	}
	return keptProgress(p)
}

// pass is one pass over one release.
type pass struct {
	e         *Engine
	key       Key
	operation Operation
	opts      ReconcileOptions
	apply     ApplyOptions
	plan      func(context.Context) (*Plan, error)
}

// take plans, and does what can be done at once. What another operation has
// recorded meanwhile is planned from again.
func (s *pass) take(ctx context.Context) (Progress, error) {
	l := s.e.newLock(ctx, s.key)
	defer l.Release()
	for race := 0; ; race++ {
		p, err := s.plan(ctx)
		if err == nil {
			p, err = s.afterFailure(ctx, p)
		}
		if err != nil {
			return Progress{Key: s.key}, explain(string(s.operation), s.key, diff.Object{}, err)
		}
		if out, done, err := s.withoutLock(ctx, p); done || err != nil {
			return out, explain(string(s.operation), s.key, diff.Object{}, err)
		}
		var waited bool
		busy, err := s.turn(l, func(turn *turns) (err error) {
			waited, err = turn.await(ctx, p.work.history)
			return err
		})
		if busy != nil || err != nil {
			return s.busy(p, busy, err)
		}
		if waited {
			continue // the other operation has changed what was planned from
		}
		if l.Held() == nil { // or the look would write beside the renewals
			if out, done, err := s.onlyLooks(ctx, p); done || err != nil {
				return out, explain(string(s.operation), s.key, diff.Object{}, err)
			}
		}
		if p.work.namespace.missing {
			if err := s.e.createNamespace(ctx, p); err != nil {
				return s.progress(p), explain(string(s.operation), s.key, diff.Object{}, err)
			}
		}
		r := newRun(s.e, p, s.apply, l)
		r.passing = true
		if !r.resumed {
			r.notes.Resumable = true
		}
		_, err = r.execute(ctx)
		var reserved *storage.ReservedError
		if errors.As(err, &reserved) {
			busy, err := s.turn(l, func(turn *turns) error { return turn.awaitClaim(ctx, reserved.Claim) })
			if busy != nil || err != nil {
				return s.busy(p, busy, err)
			}
			continue
		}
		s.e.rivals.forget(s.key)
		if !errors.Is(err, errRaced) || race >= maxRaces {
			return s.written(r, err)
		}
	}
}

// turn asks whether it is the pass's turn, with what earlier passes have seen of
// another holder. busy is who works on the release, if anybody does.
func (s *pass) turn(l *lock.Lock, ask func(*turns) error) (busy, err error) {
	seen := s.e.rivals.of(s.key)
	defer seen.mu.Unlock()
	if err = ask(&turns{s.e, s.key, l, s.apply, &seen.Observed}); errors.Is(err, ErrBusy) {
		return err, nil
	}
	return nil, err
}

// afterFailure decides what a pass does about a release that has failed before: it
// goes back, as OnFailure asks.
func (s *pass) afterFailure(ctx context.Context, p *Plan) (*Plan, error) {
	if s.operation != OperationReconcile {
		return p, nil
	}
	last := p.work.history.last
	n := readNotes(last)
	var failed int
	switch {
	case p.work.reverted != nil && (last.Status.Pending() || last.Status == storage.StatusUninstalling || last.Status == storage.StatusFailed):
		failed = n.Reverts // the way back goes on
	case p.work.reverted != nil, s.opts.OnFailure == LeaveFailed, !s.failedBefore(p):
		return p, nil
	default:
		failed = last.Revision
	}
	revisions := p.work.history.inventory.Revisions
	target := healthyBefore(revisions, failed)
	ask := s.apply.asking(immediate)
	ask.pass, ask.reverts, ask.revertsFrom = true, true, failed
	ask.force = ask.force || p.work.release.Force
	switch {
	case target != 0:
		if n.Reverts == 0 {
			s.e.events.emit(Reverting{about(s.key), failed, target})
		}
		ask.cause = fmt.Sprintf("%s, because revision %d failed", rollbackCause(target, causeRecorded(revisions, target)), failed)
		return s.e.planRollback(ctx, s.key, target, ask)
	case s.opts.OnFailure == RollBackOrUninstall || last.Status == storage.StatusUninstalling:
		if n.Reverts == 0 {
			s.e.events.emit(Reverting{about(s.key), failed, 0})
		}
		s.apply.KeepHistory = true // by which the next pass knows that it has failed
		return s.e.planUninstall(ctx, s.key, ask)
	}
	return p, nil
}

func causeRecorded(revisions []storage.Meta, revision int) string {
	for _, m := range revisions {
		if m.Revision == revision {
			return m.Cause
		}
	}
	return ""
}

// failedBefore reports whether the newest revision wants what the plan does, and
// has failed.
func (s *pass) failedBefore(p *Plan) bool {
	last := p.work.history.last
	return last != nil && last.Status == storage.StatusFailed && p.work.record != nil && sameContent(last, p.work.record)
}

// withoutLock is the progress of a pass that writes no object now; done reports
// whether it is one.
func (s *pass) withoutLock(ctx context.Context, p *Plan) (out Progress, done bool, err error) {
	out = s.progress(p)
	w := p.work
	switch {
	case w.historyOnly:
		out.Phase = PhaseUninstalled
		return out, true, s.e.store.Forget(ctx, s.key.Namespace, w.history.inventory)
	case w.reverted != nil:
		out.Phase = PhaseReverted
		out.Err = &RevertError{
			Key: s.key, Failed: w.reverted.Revision, Target: readNotes(w.history.last).Target,
			Uninstalled: w.history.last.Status == storage.StatusUninstalled, Revision: revisionOf(w.history.last, w.redactor),
			Err: s.failure(w.reverted),
		}
		return out, true, nil
	}
	if err := p.refusal(s.apply.NoHooks); err != nil {
		out.Phase, out.Err, out.After = PhaseBlocked, err, blockedAfter
		if terminating := s.terminating(p); len(terminating) > 0 {
			out.Phase, out.Err, out.Waiting, out.After = PhaseProgressing, nil, terminating, shortest
		}
		return out, true, nil
	}
	if !p.Changed() {
		out, err = s.unchanged(ctx, p)
		return out, true, err
	}
	if s.failedBefore(p) {
		if wait := s.untilRetry(p); wait != 0 {
			out.Phase, out.Err, out.After = PhaseFailed, s.failure(w.history.last), max(0, wait)
			return out, true, nil
		}
	}
	return out, false, nil
}

// onlyLooks is the progress of a pass that finds everything written, and something
// not ready: it takes no lock, since it writes nothing but its notes. done reports
// whether it is one.
func (s *pass) onlyLooks(ctx context.Context, p *Plan) (out Progress, done bool, err error) {
	if !p.work.resumes || p.Kind == PlanUninstall || slices.ContainsFunc(p.work.steps, func(st step) bool { return st.change.Changed() }) {
		return Progress{}, false, nil
	}
	r := newRun(s.e, p, s.apply, nil)
	if r.passing = true; !r.hooksDone() {
		return Progress{}, false, nil
	}
	if err := r.waitReady(ctx); !errors.Is(err, errInTransition) {
		return Progress{}, false, nil // the pass that records the outcome looks again
	}
	switch err := r.saveNotes(ctx); {
	case errors.Is(err, errRaced):
		return Progress{}, false, nil
	case err != nil:
		return s.progress(p), true, err
	}
	out, err = s.written(r, errInTransition)
	return out, true, err
}

// failure is the error of a revision that has failed, as far as it is recorded.
func (s *pass) failure(r *storage.Record) error {
	return &Error{Op: string(s.operation), Key: s.key, Hint: "Status has the diagnosis; change the release, or let it be tried again", Err: fmt.Errorf("%w: revision %d: %s", ErrRevisionFailed, r.Revision, clean.Text(cmp.Or(readNotes(r).Why, r.Description)))}
}

// untilRetry is how long a release that has failed is left alone; negative: until
// it changes. If everything that it wants has become ready since, it is not.
func (s *pass) untilRetry(p *Plan) time.Duration {
	ready := !slices.ContainsFunc(p.work.steps, func(st step) bool {
		return st.change.Changed() || st.object.desired != nil && (st.object.live == nil || readiness.Assess(st.object.live, s.e.rules).State != readiness.Ready)
	})
	switch after := s.opts.retryAfter(); {
	case ready:
		return 0
	case after < 0:
		return -1
	default:
		last := p.work.history.last
		failed := readNotes(last).Failed
		if failed.IsZero() {
			failed = last.LastDeployed
		}
		return max(0, after-time.Since(failed))
	}
}

// terminating are the objects that are being deleted and that the plan wants, if
// they alone block it.
func (s *pass) terminating(p *Plan) []Diagnosis {
	var out []Diagnosis
	for _, problem := range p.Problems {
		switch {
		case problem.Hook && s.apply.NoHooks:
		case problem.Hook || problem.Kind != ProblemTerminating:
			return nil
		default:
			out = append(out, Diagnosis{Object: problem.Object, State: StateProgressing, Reason: "Terminating", Message: "it is being deleted"})
		}
	}
	if len(p.Missing) > 0 {
		return nil
	}
	return out
}

// unchanged is the progress of a release that is as wanted. What is not ready is
// in Waiting, with its cause.
func (s *pass) unchanged(ctx context.Context, p *Plan) (Progress, error) {
	out := s.progress(p)
	out.Phase = PhaseDeployed
	s.e.events.emit(Planned{about(s.key), p.Report.Summary(), 0, true})
	r := newRun(s.e, p, s.apply, nil)
	r.passing = true
	r.record = p.work.history.last
	r.reportUnchanged()
	out.Revision = r.revision()
	stored := r.before()
	if err := r.retireAll(ctx, stored); err != nil {
		return out, err
	}
	s.e.tidyReserved(ctx, p.work.history)
	waiting, err := r.unready(ctx)
	if out.Waiting = waiting; len(waiting) > 0 {
		out.After = longest
	}
	return out, err
}

// written is the progress of a pass that had something to write.
func (s *pass) written(r *run, err error) (Progress, error) {
	out := s.progress(r.p)
	out.Revision, out.Changed = r.revision(), r.begun && !r.resumed || r.wrote.Load() || !r.state.unchanged(r.w.steps)
	status := storage.Status("")
	if r.record != nil {
		status = r.record.Status
	}
	going := PhaseProgressing
	switch {
	case r.notes.Reverts != 0:
		going = PhaseReverting
	case r.p.Kind == PlanUninstall:
		going = PhaseUninstalling
	}
	switch {
	case errors.Is(err, errInTransition):
		out.Phase, out.Waiting, out.After = going, r.transit.waiting, s.comeAgain(r)
		return out, nil
	case errors.Is(err, errRaced):
		out.Phase, out.After = PhaseBusy, shortest
		return out, nil
	case err != nil && (status.Pending() || status == storage.StatusUninstalling && isTransient(err)):
		out.Phase = going
		return out, explain(string(s.operation), s.key, diff.Object{}, err)
	case err != nil && !r.begun:
		return out, explain(string(s.operation), s.key, diff.Object{}, err)
	case err != nil:
		out.Phase, out.Err, out.After = PhaseFailed, err, max(0, s.opts.retryAfter())
		var not *NotReadyError
		if errors.As(err, &not) {
			out.Waiting = not.Objects
		}
		if s.operation == OperationReconcile && s.opts.OnFailure != LeaveFailed && r.p.Kind.deploys() {
			out.After = immediately
		}
		return out, nil
	case r.p.Kind == PlanUninstall && r.notes.Reverts == 0:
		out.Phase = PhaseUninstalled
	case r.notes.Reverts != 0:
		out.Phase, out.After = PhaseReverting, immediately // the next pass says what has failed
	default:
		out.Phase = PhaseDeployed
	}
	return out, nil
}

// comeAgain is when the next pass can find anything else without a watch: soon
// after something was written, and the later the longer it has not become ready.
func (s *pass) comeAgain(r *run) time.Duration {
	after := shortest
	if began := r.notes.began(); !began.IsZero() {
		after = min(max(shortest, time.Since(began)/4), longest)
	}
	if t := r.transit.after; t > 0 {
		after = min(after, max(t, immediately))
	}
	return after
}

// busy is the progress of a pass that found another operation at work, or failed to
// find out.
func (s *pass) busy(p *Plan, why, err error) (Progress, error) {
	out := s.progress(p)
	if err != nil {
		return out, explain("lock", s.key, diff.Object{}, err)
	}
	out.Phase, out.Err, out.After = PhaseBusy, why, max(shortest, s.e.opts.LeaseDuration/3)
	return out, nil
}

func (s *pass) progress(p *Plan) Progress {
	return Progress{Key: s.key, Plan: p, Revision: revisionOf(p.work.history.last, p.work.redactor)}
}
