package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// run is one plan that is being applied. Steps are known by their index in
// work.steps; what becomes of them is noted in state, and nowhere else.
type run struct {
	recorder
	w     *work
	opts  ApplyOptions
	state *runState
	texts *podTexts
	// passing: the run is one pass, which returns where it would have to wait.
	passing bool
	transit transition
	wrote   atomic.Bool // a hook was created
	waited  atomic.Bool // something was waited for
}

func newRun(e *Engine, p *Plan, opts ApplyOptions, l *lock.Lock) *run {
	r := &run{
		recorder: recorder{e: e, p: p, record: p.work.record, cause: opts.Cause, labels: opts.Labels, lock: l, resumed: p.work.resumes, notes: &notes{noted: p.work.noted}},
		w:        p.work, opts: opts, state: newRunState(p.work.steps),
	}
	if r.resumed {
		r.notes.noted = readNotes(p.work.history.last)
	}
	r.notes.Kind = p.Kind
	r.texts = &podTexts{e: e, key: p.Key, redactor: p.work.redactor, objects: p.work.objects}
	return r
}

// revision returns what is recorded, for the caller.
func (r *run) revision() *Revision { return revisionOf(r.record, r.w.redactor) }

// execute applies the plan under the lock, and records the outcome.
func (r *run) execute(ctx context.Context) (*Revision, error) {
	working := r.lock.Context(ctx)
	if r.p.Kind == PlanUninstall {
		return r.uninstall(working)
	}
	if err := r.recordPending(working, r.onlyRecords()); err != nil {
		return nil, explain("record", r.p.Key, diff.Object{}, err)
	}
	err := r.deploy(working)
	if r.lock.Lost() {
		return r.revision(), lostError(r.p.Key) // the other operation records the outcome, too
	}
	if errors.Is(err, errRaced) {
		return nil, err
	}

	// The outcome is recorded even if the caller's context has ended.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if r.notes.Wrote = r.notes.Wrote || !r.state.unchanged(r.w.steps); r.staysPending(ctx, err) {
		err = r.pending(end, err)
		return r.revision(), err
	}
	r.remaining, r.unchanged = r.remainingObjects(), !r.notes.Wrote
	recordErr := r.recordOutcome(end, err, r.opts)
	if errors.Is(recordErr, errRaced) {
		return r.afterRace()
	}
	if recordErr != nil {
		err = errors.Join(err, explain("record", r.p.Key, diff.Object{}, recordErr))
	}
	return r.revision(), err
}

// afterRace is the result of a run whose outcome could not be recorded, because
// another operation has taken the release over.
func (r *run) afterRace() (*Revision, error) {
	if r.lock.Lost() {
		return r.revision(), lostError(r.p.Key)
	}
	return nil, errRaced
}

// onlyRecords reports whether the run is a pass that finds everything written and
// every hook run: recording the outcome, which fails if the revision has changed, is
// all that it writes.
func (r *run) onlyRecords() bool {
	return r.passing && r.resumed && (r.opts.NoHooks || len(r.p.Hooks) == 0) && !slices.ContainsFunc(r.w.steps, func(s step) bool { return s.change.Changed() })
}

// staysPending reports whether a run that ended with err leaves its revision
// without an outcome, for another call to go on with.
func (r *run) staysPending(ctx context.Context, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, errInTransition):
		return true
	case ctx.Err() != nil:
		return r.passing || r.opts.OnCancel == LeavePending
	}
	return r.passing && isTransient(err)
}

// pending leaves the revision without an outcome, and returns why.
func (r *run) pending(ctx context.Context, why error) error {
	if err := r.leavePending(ctx, why); err != nil {
		return errors.Join(why, explain("record", r.p.Key, diff.Object{}, err))
	}
	return why
}

// phase is a part of an apply or of an uninstall. Each begins when the one
// before has succeeded.
type phase struct {
	do func(context.Context) error
	// writes is set for what writes objects.
	writes bool
}

// runPhases returns the first error, and whether it is of a phase that writes.
// The lock is checked before each, and after the last.
func (r *run) runPhases(ctx context.Context, phases []phase) (writes bool, err error) {
	for _, p := range phases {
		if err := r.lock.Check(ctx); err != nil {
			return p.writes, err
		}
		if err := p.do(ctx); err != nil {
			return p.writes, err
		}
	}
	return false, r.lock.Check(ctx)
}

// stepGroups are the steps that a plan names, by what is done about them.
type stepGroups struct {
	parent  int   // of the apply set; -1: none
	crds    []int // of the chart's crds/
	applied []int // in install order
	deleted []int // in uninstall order; kept ones included
}

func groupSteps(steps []step) stepGroups {
	g := stepGroups{parent: -1}
	for i, s := range steps {
		switch {
		case !s.named():
		case s.object.isSetParent():
			g.parent = i
		case s.object.desired == nil:
			g.deleted = append(g.deleted, i)
		case s.object.origin == fromCRDs:
			g.crds = append(g.crds, i)
		default:
			g.applied = append(g.applied, i)
		}
	}
	return g
}

// deploy writes what the plan says, in order, and waits. It is the same for
// every plan that makes a new revision.
func (r *run) deploy(ctx context.Context) error {
	event := map[PlanKind]string{PlanInstall: "install", PlanUpgrade: "upgrade", PlanRollback: "rollback"}[r.p.Kind]
	g := groupSteps(r.w.steps)
	writes, err := r.runPhases(ctx, []phase{
		{func(ctx context.Context) error { return r.applyAll(ctx, g.crds) }, true},
		{func(ctx context.Context) error { return r.runHooks(ctx, "pre-"+event) }, true},
		{func(ctx context.Context) error { return r.applyManifest(ctx, g) }, true},
		{func(ctx context.Context) error { return r.deletePruned(ctx, g) }, true},
		{r.waitSuperseded, false},
		{func(ctx context.Context) error { return r.runHooks(ctx, "post-"+event) }, false},
	})
	if err == nil || !writes || errors.Is(err, errInTransition) {
		return err
	}
	r.pruneAttempts(ctx)
	var failed *ApplyError
	if !errors.As(err, &failed) {
		failed = r.applyError(asError(r.p.Key, err))
		err = failed
	}
	failed.Skipped = r.skipRest(ctx)
	return err
}

// applyManifest applies the objects of the manifest, after the set that they
// are members of lists them.
func (r *run) applyManifest(ctx context.Context, g stepGroups) error {
	if err := r.openSet(ctx, g.parent); err != nil {
		return err
	}
	if r.w.applyOrder != nil {
		return r.applyOrdered(ctx, g.applied, r.w.applyOrder)
	}
	return r.applyStages(ctx, g.applied)
}

// deletePruned deletes what is no longer wanted, before the set forgets it.
func (r *run) deletePruned(ctx context.Context, g stepGroups) error {
	if err := r.deleteAll(ctx, g.deleted); err != nil {
		return err
	}
	return r.closeSet(ctx, g.parent)
}

// waitSuperseded waits until everything is ready, and may be superseded
// meanwhile.
func (r *run) waitSuperseded(ctx context.Context) error {
	r.lock.Waiting(true)
	defer r.lock.Waiting(false)
	return r.waitReady(ctx)
}

// applyStages applies stage by stage. A stage begins when all of the one before
// has been written; after a failure the later ones are skipped.
func (r *run) applyStages(ctx context.Context, steps []int) error {
	for _, stage := range r.byStage(steps) {
		err := r.lock.Check(ctx)
		if err == nil {
			err = r.applyAll(ctx, stage)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies objects that do not need each other, concurrently, and
// waits for CRDs among them to be served. One failure does not stop the
// others.
func (r *run) applyAll(ctx context.Context, steps []int) error {
	failed := r.applyError()
	var mu sync.Mutex
	var crds []int
	var waits bool
	group := parallel.New(ctx, r.e.opts.Concurrency)
	for _, i := range steps {
		group.Do(func(ctx context.Context) error {
			err := r.applyStep(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(orNil(err), errInTransition) {
				waits = true
			} else if err != nil {
				failed.Failed = append(failed.Failed, err)
			} else if r.bringsKinds(i) {
				crds = append(crds, i)
			}
			return nil
		})
	}
	err := group.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if !errors.Is(failed, err) {
			failed.Failed = append(failed.Failed, asError(r.p.Key, err))
		}
		return failed
	}
	if len(failed.Failed) > 0 {
		return failed
	}
	if waits {
		return errInTransition
	}
	return r.waitServed(ctx, crds)
}

// bringsKinds reports whether a step is a CRD that has to be waited for before
// what comes after it.
func (r *run) bringsKinds(i int) bool {
	s := r.w.steps[i]
	return s.object.isDefinition() && (s.change.Changed() || r.hasPending())
}

// hasPending reports whether there are objects of kinds that were not served
// when the plan was made.
func (r *run) hasPending() bool {
	return slices.ContainsFunc(r.w.steps, func(s step) bool { return s.object.pending && s.object.desired != nil })
}

// applyError is an error of this run.
func (r *run) applyError(failed ...*Error) *ApplyError {
	return &ApplyError{Key: r.p.Key, Revision: r.record.Revision, Failed: failed}
}

func asError(k Key, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Op: "apply", Key: k, Err: err}
}

// orNil is an error that is nil if e is.
func orNil(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}
