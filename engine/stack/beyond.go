package stack

import (
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// beyond is what a fresh plan of the member changes and its own one does not show.
// What it lacks of it may be done already. An object that was not confirmed by the
// API server is compared with what local, a plan without dry-runs, says of it, as
// that is computed in the same way.
func (m *MemberPlan) beyond(now *engine.Plan, local func() (*engine.Plan, error)) ([]Excess, error) {
	var out []Excess
	for _, is := range now.Report.Changes {
		if !is.Changed() {
			continue
		}
		was, ok := m.shown(is.Object)
		if !ok || !m.allows(was, is) {
			out = append(out, Excess{Object: is.Object, Action: is.Action})
			continue
		}
		more := was.Exceeds(is)
		if len(more) > 0 && was.Local && !is.Local {
			plan, err := local()
			if err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(plan.Report.Changes, func(ch diff.Change) bool { return ch.Object == is.Object }); i >= 0 {
				more = was.Exceeds(plan.Report.Changes[i])
			}
		}
		for _, f := range more {
			out = append(out, Excess{Object: is.Object, Action: is.Action, Field: f})
		}
	}
	for _, h := range now.Hooks {
		out = append(out, m.hookBeyond(h)...)
	}
	return out, nil
}

// shown is the change of an object as the plan shows it, perhaps under a name that
// was not known.
func (m *MemberPlan) shown(o diff.Object) (diff.Change, bool) {
	for _, matches := range []func(diff.Object) bool{
		func(was diff.Object) bool { was.Version = o.Version; return was == o },
		func(was diff.Object) bool { return isUnknownNameOf(was, o) },
	} {
		if i := slices.IndexFunc(m.Plan.Report.Changes, func(ch diff.Change) bool { return matches(ch.Object) }); i >= 0 {
			return m.Plan.Report.Changes[i], true
		}
	}
	return diff.Change{}, false
}

func isUnknownNameOf(was, o diff.Object) bool {
	return was.Group == o.Group && was.Kind == o.Kind &&
		(was.Name == unknownText && was.Namespace == o.Namespace || was.Namespace == unknownText && was.Name == o.Name)
}

// allows reports whether the action on an object is within what was shown.
func (m *MemberPlan) allows(was, is diff.Change) bool {
	if slices.Contains(m.Uncertain, was.Object) {
		return is.Action != diff.Replaced || was.Action == diff.Replaced
	}
	switch is.Action {
	case was.Action:
		return true
	case diff.Created:
		return was.Action == diff.Replaced
	case diff.Updated, diff.Adopted:
		return was.Action != diff.Deleted && was.Action != diff.Kept
	}
	return false
}

func (m *MemberPlan) hookBeyond(h engine.PlannedHook) []Excess {
	i := slices.IndexFunc(m.Plan.Hooks, func(was engine.PlannedHook) bool {
		return was.Event == h.Event && (was.Object == h.Object || isUnknownNameOf(was.Object, h.Object))
	})
	if i < 0 {
		return []Excess{{Object: h.Object, Action: diff.Created}}
	}
	var out []Excess
	was := diff.Change{Action: diff.Created, Fields: m.Plan.Hooks[i].Fields}
	for _, f := range was.Exceeds(diff.Change{Action: diff.Created, Fields: h.Fields}) {
		out = append(out, Excess{Object: h.Object, Action: diff.Created, Field: f})
	}
	return out
}
