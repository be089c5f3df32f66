package stack

import (
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// admit refuses a plan that is not for this stack, before anything is read. It may
// come from anywhere: a member twice, or before what it needs, is no plan of Plan.
func (s *Stack) admit(p *Plan) error {
	if p == nil {
		return fmt.Errorf("%w: it is nil", ErrPlanInvalid)
	}
	if err := s.checkSignature(p); err != nil {
		return err
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
		if err := s.admitLater(p, mp); err != nil {
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
	if uninstalls := mp.Plan.Kind == engine.PlanUninstall; uninstalls != (kind == PlanUninstall) {
		return fmt.Errorf("%w: the plan of member %q is of kind %s", ErrPlanInvalid, mp.Member, clean.Short(string(mp.Plan.Kind), 100))
	}
	return nil
}

// admitLater refuses a member of which the plan says without reason that something of
// it is not known yet: inputs that it does not have, and what no member before brings.
func (s *Stack) admitLater(p *Plan, mp *MemberPlan) error {
	m := s.byName[mp.Member]
	for i, u := range mp.Unknown {
		o, ok := m.Inputs[u.Path]
		if !ok || o.String() != u.Output || slices.Contains(mp.Unknown[:i], u) {
			return fmt.Errorf("%w: member %q has no input %q of that output", ErrPlanStack, mp.Member, clean.Short(u.Path, 100))
		}
	}
	for _, o := range mp.Assumed {
		if !slices.ContainsFunc(s.above(m), func(above *member) bool { return above.engine == m.engine && p.member(above.Name).brings(o) }) {
			return fmt.Errorf("%w: member %q assumes %q, which no member before it brings", ErrPlanStack, mp.Member, clean.Short(o.String(), 200))
		}
	}
	if len(mp.Unknown) == 0 && len(mp.Uncertain) > 0 {
		return fmt.Errorf("%w: of member %q no input is unknown, and an object is uncertain", ErrPlanInvalid, mp.Member)
	}
	if !mp.Later() && mp.InputsDigest != "" {
		return fmt.Errorf("%w: of member %q nothing is unknown or assumed, and it has a digest of its inputs", ErrPlanInvalid, mp.Member)
	}
	if mp.Later() && (p.Kind != PlanDeploy || !nonceOfPlan.MatchString(mp.Plan.Nonce)) {
		return fmt.Errorf("%w: the plan of member %q has no nonce, or is none of a deploy", ErrPlanInvalid, mp.Member)
	}
	return nil
}

// brings reports whether the plan of a member brings an object by which later ones may
// be planned.
func (m *MemberPlan) brings(o diff.Object) bool {
	if m == nil || m.Plan == nil {
		return false
	}
	return slices.ContainsFunc(m.Plan.Report.Changes, func(ch diff.Change) bool {
		return brings(ch) && ch.Object.Group == o.Group && ch.Object.Kind == o.Kind && ch.Object.Name == o.Name
	})
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
