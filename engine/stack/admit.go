package stack

import (
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// admit refuses a plan that is not for this stack, before anything is read. It may
// come from anywhere: a member twice, or before what it needs, is no plan of Plan.
func (s *Stack) admit(p *Plan) error {
	if p == nil {
		return fmt.Errorf("%w: it is nil", ErrPlanInvalid)
	}
	if p.Kind != PlanDeploy && p.Kind != PlanUninstall {
		return fmt.Errorf("%w: its kind is %q", ErrPlanInvalid, clean.Short(string(p.Kind), 100))
	}
	if p.Stack != s.name {
		return fmt.Errorf("%w: %q", ErrPlanStack, clean.Short(p.Stack, 100))
	}
	seen := map[string]bool{}
	for i := range p.Members {
		mp := &p.Members[i]
		if err := s.admitMember(p.Kind, mp); err != nil {
			return err
		}
		ordered := !slices.ContainsFunc(mp.Needs, func(n string) bool { return seen[n] != (p.Kind == PlanDeploy) })
		if seen[mp.Member] || !ordered {
			return fmt.Errorf("%w: its member %q is there twice, or not in the order of the needs", ErrPlanStack, mp.Member)
		}
		seen[mp.Member] = true
	}
	if p.Kind == PlanDeploy && len(p.Members) != len(s.members) {
		return fmt.Errorf("%w: it has %d members, and the stack %d", ErrPlanStack, len(p.Members), len(s.members))
	}
	return s.admitPruned(p)
}

func (s *Stack) admitMember(kind PlanKind, mp *MemberPlan) error {
	m := s.byName[mp.Member]
	if m == nil || mp.Plan == nil || mp.Plan.Key != m.key() || !slices.Equal(mp.Needs, m.needs) {
		return fmt.Errorf("%w: its member %q is none of this stack, or another release, or has other needs", ErrPlanStack, clean.Short(mp.Member, 100))
	}
	for _, u := range mp.Unknown {
		if _, ok := m.Inputs[u.Path]; !ok {
			return fmt.Errorf("%w: member %q has no input %q", ErrPlanStack, mp.Member, clean.Short(u.Path, 100))
		}
	}
	if uninstalls := mp.Plan.Kind == engine.PlanUninstall; uninstalls != (kind == PlanUninstall) {
		return fmt.Errorf("%w: the plan of member %q is of kind %s", ErrPlanInvalid, mp.Member, clean.Short(string(mp.Plan.Kind), 100))
	}
	return nil
}

// admitPruned refuses what does not uninstall a release that is no member. That it
// belongs to the stack is checked when its turn comes.
func (s *Stack) admitPruned(p *Plan) error {
	seen := map[string]bool{}
	for _, mp := range p.Pruned {
		if mp.Plan == nil || mp.Plan.Kind != engine.PlanUninstall || mp.Member != mp.Plan.Key.String() || s.planned(mp.Plan.Key) || s.byName[mp.Member] != nil || seen[mp.Member] {
			return fmt.Errorf("%w: what it prunes as %q is no release that left the stack", ErrPlanStack, clean.Short(mp.Member, 100))
		}
		seen[mp.Member] = true
	}
	return nil
}
