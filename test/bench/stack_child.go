package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// stackGroup is how many releases of a stack belong together: all but the first of
// them need that one.
const stackGroup = 5

// stacked deploys a fleet as one stack.
type stacked struct{ *fairlead }

func newStacked(config *rest.Config) (*stacked, error) {
	f, err := newFairlead(config, engine.Options{Concurrency: defaultInFlight})
	return &stacked{f}, err
}

func (s *stacked) fleet(ctx context.Context, tasks []task, workers int) ([]time.Duration, error) {
	var members []stack.Member
	for i, t := range tasks {
		r, err := s.release(t)
		if err != nil {
			return nil, err
		}
		m := stack.Member{Release: r}
		if first := i - i%stackGroup; first != i {
			m.Needs = []string{tasks[first].Release}
		}
		members = append(members, m)
	}
	all, err := stack.New("bench", s.engine, members...)
	if err != nil {
		return nil, err
	}
	plan, err := all.Plan(ctx, stack.PlanOptions{Concurrency: workers})
	if err != nil || tasks[0].Op == opPlan {
		return nil, err
	}
	if _, err := all.Apply(ctx, plan, stack.ApplyOptions{Concurrency: workers, Timeout: waitLimit}); err != nil {
		return nil, fmt.Errorf("apply the stack: %w", err)
	}
	return nil, nil
}
