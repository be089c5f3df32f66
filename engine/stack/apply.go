package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// ApplyOptions are the settings of applying the plan of a stack. The zero value
// waits until each member is ready, begins no further one after a failure, and
// leaves everything as it is then.
type ApplyOptions struct {
	// Timeout, HooksTimeout, FailurePolicy, LockTimeout, NoHooks and UnsafeDelete
	// are as in engine.ApplyOptions, for each member. Timeout also bounds the wait
	// for an output that is not there yet when its member is ready.
	Timeout       time.Duration
	HooksTimeout  time.Duration
	FailurePolicy engine.FailurePolicy
	LockTimeout   time.Duration
	NoHooks       bool
	UnsafeDelete  []diff.Object
	// Cause and Labels are recorded in the revisions of all members.
	Cause  string
	Labels map[string]string
	// GoOn applies the members that do not need one that failed. False: no further
	// member is begun after a failure; those in progress are finished.
	GoOn bool
	// OnFailure decides what is done about a stack of which a member failed.
	// Empty: LeaveFailed.
	OnFailure OnFailure
	// UnsafeBeyond applies a member of which, now that what was unknown is known,
	// more differs than the plan has shown. It is an error for engines with
	// Options.PlanSigners. False: a *BeyondError.
	UnsafeBeyond bool
	// Concurrency bounds how many members are applied at once. 0:
	// DefaultConcurrency.
	Concurrency int
	// OnEvent receives the progress of all members, serially. It takes the place of
	// engine.Options.OnEvent during the call. Nil: events go to that.
	OnEvent func(Event)
}

// OnFailure decides what is done about a stack of which a member failed.
type OnFailure string

const (
	// LeaveFailed leaves everything as it is; the next Apply of the plan goes on.
	// The default.
	LeaveFailed OnFailure = ""
	// TakeBack takes each member that the call has changed back to the revision
	// that the plan builds on, in reverse order, and uninstalls those that had
	// none. A call whose context ended takes nothing back, and an uninstall does not
	// either: it can be gone on with.
	TakeBack OnFailure = "TakeBack"
)

// Result is what applying a plan has done.
type Result struct {
	Stack string
	// Members that were applied, in the order of the plan.
	Members []MemberResult
	// Pruned are the releases that were uninstalled because they left the stack.
	Pruned []engine.Key
}

// MemberResult is what became of one member.
type MemberResult struct {
	Member string
	// Revision is the newest one now; nil after an uninstall that kept no history.
	// What its notes show of secrets of other members is hidden.
	Revision *engine.Revision
	// Changed: the call has recorded a revision, or uninstalled the release. False
	// for one that was as planned already, and for one of which an earlier call with
	// the plan has recorded the revision.
	Changed bool
}

// Apply applies a plan of this stack: each member once what it needs is ready. A
// member that is as planned already costs what reading it costs, so that applying a
// plan again goes on where it stopped, in any process. A plan with problems is
// refused with a *ProblemsError before anything is written.
//
// The error is an *ApplyError with what became of each member; the result has those
// that were applied in any case.
func (s *Stack) Apply(ctx context.Context, p *Plan, opts ApplyOptions) (*Result, error) {
	if err := s.admit(p); err != nil {
		return nil, fmt.Errorf("apply stack %s: %w", s.name, err)
	}
	if opts.UnsafeBeyond && s.signedOnly() {
		return nil, fmt.Errorf("%w: ApplyOptions.UnsafeBeyond is set, and an engine has Options.PlanSigners: what goes beyond the plan is not signed", engine.ErrInvalidOptions)
	}
	switch opts.OnFailure {
	case LeaveFailed, TakeBack:
	default:
		return nil, fmt.Errorf("%w: ApplyOptions.OnFailure is %q; accepted are \"\" (the default), %q", engine.ErrInvalidOptions, opts.OnFailure, TakeBack)
	}
	if err := reserved(opts.Labels); err != nil {
		return nil, err
	}
	if err := p.refusal(opts.NoHooks); err != nil {
		return nil, err
	}
	a := &application{Stack: s, plan: p, opts: opts, state: map[string]*applied{}}
	return a.run(ctx)
}

// application is a plan that is being applied.
type application struct {
	*Stack
	plan *Plan
	opts ApplyOptions

	mu     sync.Mutex
	state  map[string]*applied
	failed bool

	events sync.Mutex
}

// applied is what became of a member.
type applied struct {
	MemberResult
	release engine.Release // as it was applied
	// secrets are those that its chart has made, and before those of the revision that
	// the plan builds on, once they are read.
	secrets, before []*unstructured.Unstructured
	read            bool
	// to is the revision that the call may have recorded; 0: it has called the engine
	// for none, or found the plan stale.
	to   int
	err  *MemberError
	skip *SkippedMember
}

func (a *application) run(ctx context.Context) (*Result, error) {
	names := make([]string, len(a.plan.Members))
	before := a.before()
	if a.plan.Kind == PlanUninstall {
		before = reversed(before)
	}
	for i, m := range a.plan.Members {
		names[i] = m.Member
	}
	for _, m := range a.plan.all() {
		a.emit(Event{Member: m.Member, State: MemberPending})
	}
	if a.plan.Kind == PlanUninstall {
		a.prune(ctx) // what left the stack may need what is in it
	}
	walk(names, before, a.opts.Concurrency, func(name string) { a.visit(ctx, name, before[name]) })
	if a.plan.Kind == PlanDeploy {
		a.prune(ctx)
	}
	out, failure := a.outcome()
	if failure == nil {
		return out, nil
	}
	if a.opts.OnFailure == TakeBack && ctx.Err() == nil && a.plan.Kind == PlanDeploy {
		a.takeBack(ctx, failure)
	}
	return out, failure
}

func reversed(before map[string][]string) map[string][]string {
	out := map[string][]string{}
	for n, needs := range before {
		for _, need := range needs {
			out[need] = append(out[need], n)
		}
	}
	return out
}

// visit applies the plan of a member, unless it is skipped.
func (a *application) visit(ctx context.Context, name string, before []string) {
	a.carryOut(name, "apply", a.skips(ctx, name, before), func(out *applied) error {
		return a.member(ctx, a.byName[name], a.plan.member(name), out)
	})
}

// carryOut does what there is to do about a member, unless it is skipped, and keeps
// and reports how it ended.
func (a *application) carryOut(name, op string, skip *SkippedMember, do func(*applied) error) {
	out := &applied{MemberResult: MemberResult{Member: name}, skip: skip}
	end := Event{Member: name, State: MemberDone}
	if skip != nil {
		end.State, end.Err = MemberSkipped, skip.Err
	} else {
		a.emit(Event{Member: name, State: MemberStarted})
		if err := do(out); err != nil {
			out.err = &MemberError{Member: name, Op: op, Err: err}
			end.State, end.Err = MemberFailed, err
		}
	}
	a.end(name, out)
	a.emit(end)
}

// skips is why a member is not applied; nil: it is.
func (a *application) skips(ctx context.Context, name string, before []string) *SkippedMember {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range before {
		if done := a.state[b]; done != nil && (done.err != nil || done.skip != nil) {
			return &SkippedMember{Member: name, Needs: b, Err: ErrNeededFailed}
		}
	}
	if err := context.Cause(ctx); err != nil {
		return &SkippedMember{Member: name, Err: err}
	}
	if a.failed && !a.opts.GoOn {
		return &SkippedMember{Member: name, Err: ErrStopped}
	}
	return nil
}

func (a *application) end(name string, out *applied) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state[name] = out
	a.failed = a.failed || out.err != nil
}

func (a *application) emit(e Event) {
	if a.opts.OnEvent == nil {
		return
	}
	a.events.Lock()
	defer a.events.Unlock()
	if e.Stack = a.name; e.At.IsZero() {
		e.At = time.Now()
	}
	a.opts.OnEvent(e)
}

// engineOf is the engine of a member, whose events go to the stream of the stack. It
// needs no signature any more: that of the plan of the stack was checked.
func (a *application) engineOf(e *engine.Engine, name string) (*engine.Engine, error) {
	if a.opts.OnEvent == nil && len(a.settings[e].PlanSigners) == 0 {
		return e, nil
	}
	return e.With(func(o *engine.Options) {
		o.PlanSigners = nil
		if a.opts.OnEvent != nil {
			o.OnEvent = func(event engine.Event) { a.emit(Event{Member: name, At: event.Time(), Engine: event}) }
		}
	})
}

func (a *application) options() engine.ApplyOptions {
	return engine.ApplyOptions{
		Timeout: a.opts.Timeout, HooksTimeout: a.opts.HooksTimeout, FailurePolicy: a.opts.FailurePolicy,
		LockTimeout: a.opts.LockTimeout, NoHooks: a.opts.NoHooks, UnsafeDelete: a.opts.UnsafeDelete,
		Cause: a.opts.Cause, Labels: a.opts.Labels,
	}
}

// member applies the plan of one member.
func (a *application) member(ctx context.Context, m *member, mp *MemberPlan, out *applied) error {
	e, err := a.engineOf(m.engine, m.Name)
	if err != nil {
		return err
	}
	opts := a.options()
	if mp.Plan.Kind == engine.PlanUninstall {
		opts.Cause, opts.Labels = "", nil
		opts.Key, opts.Kinds = m.key(), []engine.PlanKind{engine.PlanUninstall}
		out.Revision, err = e.Apply(ctx, mp.Plan, opts)
		out.Changed = err == nil
		return engine.IgnoreNotFound(err)
	}
	in, err := a.inputs(ctx, m)
	if err != nil {
		return err
	}
	for path, was := range mp.known() {
		if is, ok := in.known[path]; !ok || !reflect.DeepEqual(was, is) {
			return &OutputError{m.Inputs[path].String(), fmt.Errorf("%w: it becomes the value %s", ErrInputChanged, path)}
		}
	}
	if out.release, err = a.release(m, mp.NoLongerNeeds, in); err != nil {
		return err
	}
	plan := mp.Plan
	if mp.Later() {
		if plan, err = a.planNow(ctx, m, e, mp, out.release, in); err != nil {
			return err
		}
		opts.Labels = maps.Clone(opts.Labels)
		if opts.Labels == nil {
			opts.Labels = map[string]string{}
		}
		opts.Labels[LabelPlan] = planLabel(mp, plan.To)
	} else {
		opts.Release = &out.release
	}
	began := time.Now()
	out.Revision, err = e.Apply(ctx, plan, opts)
	// A plan that was applied before returns the revision that it recorded then.
	out.Changed = plan.Changed() && out.Revision != nil && !out.Revision.Updated.Before(began)
	if out.Revision != nil && len(out.release.Hide) > 0 {
		shown := *out.Revision
		shown.Notes = redactorOf(out.release.Hide...).String(shown.Notes)
		out.Revision = &shown
	}
	var stale *engine.StalePlanError
	if !errors.As(err, &stale) || stale.Applying {
		out.to = plan.To
	}
	return err
}

// prune uninstalls the releases that left the stack. After a failure of a deploy it
// skips them: a member that was not applied may still need one.
func (a *application) prune(ctx context.Context) {
	stopped := a.plan.Kind == PlanDeploy && a.failed
	for i := range a.plan.Pruned {
		mp := &a.plan.Pruned[i]
		skip := a.skips(ctx, mp.Member, nil)
		if skip == nil && stopped {
			skip = &SkippedMember{Member: mp.Member, Err: ErrStopped}
		}
		a.carryOut(mp.Member, "prune", skip, func(*applied) error { return a.uninstall(ctx, mp) })
	}
}

// uninstall applies a plan on the cluster that it was made for, which is one of
// those of the members.
func (a *application) uninstall(ctx context.Context, mp *MemberPlan) error {
	opts := a.options()
	opts.Cause, opts.Labels = "", nil
	opts.Key, opts.Kinds = mp.Plan.Key, []engine.PlanKind{engine.PlanUninstall}
	var refused error
	for _, own := range a.engines {
		e, err := a.engineOf(own, mp.Member)
		if err != nil {
			return err
		}
		stored, err := own.Get(ctx, mp.Plan.Key, 0)
		if engine.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil && stored.Revision.Labels[LabelStack] != a.name {
			refused = fmt.Errorf("%w, or to none: %s", ErrOtherStack, mp.Plan.Key)
			continue
		}
		if _, err = e.Apply(ctx, mp.Plan, opts); !errors.Is(err, engine.ErrPlanCluster) {
			return engine.IgnoreNotFound(err)
		}
		refused = err
	}
	return refused
}

// outcome is the result, and the error if a member was not applied.
func (a *application) outcome() (*Result, *ApplyError) {
	out, failure := &Result{Stack: a.name}, &ApplyError{Stack: a.name}
	see := func(mp MemberPlan) bool {
		done := a.state[mp.Member]
		switch {
		case done == nil:
			return false
		case done.err != nil:
			failure.Failed = append(failure.Failed, done.err)
		case done.skip != nil:
			failure.Skipped = append(failure.Skipped, *done.skip)
		default:
			return true
		}
		return false
	}
	for _, mp := range a.plan.Members {
		if see(mp) {
			out.Members = append(out.Members, a.state[mp.Member].MemberResult)
		}
	}
	for _, mp := range a.plan.Pruned {
		if see(mp) {
			out.Pruned = append(out.Pruned, mp.Plan.Key)
		}
	}
	if len(failure.Failed)+len(failure.Skipped) == 0 {
		return out, nil
	}
	return out, failure
}
