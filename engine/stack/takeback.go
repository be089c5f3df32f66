package stack

import (
	"context"
	"slices"

	"github.com/fairlead-dev/fairlead/engine"
)

// takeBack takes the members that the call has changed back to where they were
// when the plan was made, what needs others first. It goes on after a failure:
// each member that is back is one less to look after.
func (a *application) takeBack(ctx context.Context, failure *ApplyError) {
	for _, mp := range slices.Backward(a.plan.Members) {
		if done := a.state[mp.Member]; done == nil || done.to == 0 {
			continue
		}
		back, err := a.takeMemberBack(ctx, a.byName[mp.Member], mp.Plan.From, a.state[mp.Member].to)
		switch {
		case err != nil:
			failure.NotTakenBack = append(failure.NotTakenBack, &MemberError{Member: mp.Member, Op: "take back", Err: err})
			a.emit(Event{Member: mp.Member, State: MemberFailed, Err: err})
		case back:
			failure.TakenBack = append(failure.TakenBack, mp.Member)
			a.emit(Event{Member: mp.Member, State: MemberReverted})
		}
	}
}

// takeMemberBack goes back from revision to to revision from, or uninstalls for 0. It
// reports false if to is not the newest one: it was not recorded, or others came
// after it, which are not for this call to undo.
func (a *application) takeMemberBack(ctx context.Context, m *member, from, to int) (bool, error) {
	history, err := m.engine.History(ctx, m.key())
	if err = engine.IgnoreNotFound(err); err != nil || len(history) == 0 || to <= from || history[len(history)-1].Revision != to {
		return false, err
	}
	a.emit(Event{Member: m.Name, State: MemberReverting})
	e, err := a.engineOf(m.engine, m.Name)
	if err != nil {
		return false, err
	}
	opts := a.options()
	if from == 0 {
		opts.Cause, opts.Labels = "", nil
		return true, engine.IgnoreNotFound(e.Uninstall(ctx, m.key(), opts))
	}
	if opts.Cause = "a member of stack " + a.name + " has failed"; a.opts.Cause != "" {
		opts.Cause += ": " + a.opts.Cause
	}
	_, err = e.Rollback(ctx, m.key(), from, opts)
	return true, err
}
