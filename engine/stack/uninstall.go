package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/engine"
)

// PlanUninstall computes what it takes to uninstall the stack: its members in
// reverse order, each as Engine.PlanUninstall does it; with PlanOptions.Prune also
// those that left it. Apply carries it out. A release that one outside of the stack
// needs is a *NeededError, unless PlanOptions.UnsafeNeeded is set.
func (s *Stack) PlanUninstall(ctx context.Context, opts PlanOptions) (*Plan, error) {
	all, warnings, err := s.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan to uninstall stack %s: %w", s.name, err)
	}
	out := &Plan{Kind: PlanUninstall, Stack: s.name, Warnings: warnings}
	var leaves []leftRelease
	if opts.Prune {
		leaves = s.left(all)
	}
	for _, m := range slices.Backward(s.members) {
		if other := all[m.engine][m.key()].Labels[LabelStack]; other != "" && other != s.name {
			return nil, &MemberError{Member: m.Name, Op: "plan to uninstall", Err: fmt.Errorf("%w: %s belongs to %s", ErrOtherStack, m.key(), other)}
		}
		if by := all.dependants(m.engine, m.key(), s.covers(leaves)); len(by) > 0 && !opts.UnsafeNeeded {
			return nil, &NeededError{Key: m.key(), By: by}
		}
		plan, err := m.engine.PlanUninstall(ctx, m.key(), engine.PlanOptions{UnsafeDelete: opts.UnsafeDelete})
		if errors.Is(err, engine.ErrReleaseNotFound) {
			continue
		}
		if err != nil {
			return nil, &MemberError{Member: m.Name, Op: "plan to uninstall", Err: err}
		}
		out.Members = append(out.Members, MemberPlan{Member: m.Name, Needs: m.needs, Plan: plan})
	}
	if err := out.oneRelease(); err != nil {
		return nil, err
	}
	if err := s.planLeft(ctx, out, all, opts); err != nil {
		return nil, err
	}
	return out, nil
}
