package graph_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-dev/fairlead/internal/graph"
)

func TestStepsWaitForTheirNeedsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ends := map[int]time.Duration{}
		var mu sync.Mutex
		step := func(i int, takes time.Duration, needs ...int) graph.Step {
			return graph.Step{Needs: needs, Do: func(context.Context) error {
				time.Sleep(takes)
				mu.Lock()
				defer mu.Unlock()
				ends[i] = time.Since(start)
				return nil
			}}
		}
		out := graph.Run(t.Context(), []graph.Step{
			step(0, time.Second, 2), step(1, 3*time.Second), step(2, 2*time.Second), step(3, time.Second, 0, 1), {Needs: []int{3}},
		})
		if err := errors.Join(out...); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(ends), "map[0:3s 1:3s 2:2s 3:4s]"; got != want {
			t.Errorf("ended after %s, want %s", got, want)
		}
	})
}

func TestFailureSkipsDependentSteps(t *testing.T) {
	broken := errors.New("broken")
	var ran [6]atomic.Bool
	do := func(i int, err error) func(context.Context) error {
		return func(context.Context) error { ran[i].Store(true); return err }
	}
	out := graph.Run(t.Context(), []graph.Step{
		{Do: do(0, broken)},
		{Needs: []int{0}, Do: do(1, nil)},
		{Needs: []int{1}, Do: do(2, nil)},
		{After: []int{0, 2}, Do: do(3, nil)},
		{Do: do(4, nil)},
		{Needs: []int{4, 2}, Do: do(5, nil)},
	})
	if out[0] != broken || out[3] != nil || out[4] != nil {
		t.Errorf("%v", out)
	}
	for i, cause := range map[int]int{1: 0, 2: 1, 5: 2} {
		var skipped *graph.SkippedError
		if !errors.As(out[i], &skipped) || skipped.Cause != cause || ran[i].Load() {
			t.Errorf("step %d: %v, ran: %v", i, out[i], ran[i].Load())
		}
	}
	if !ran[3].Load() || !ran[4].Load() {
		t.Error("independent steps were not run")
	}
}

func TestNoStepStartsAfterContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var ran atomic.Bool
	out := graph.Run(ctx, []graph.Step{
		{Do: func(context.Context) error { cancel(); return nil }},
		{After: []int{0}, Do: func(context.Context) error { ran.Store(true); return nil }},
	})
	if out[0] != nil || !errors.Is(out[1], context.Canceled) || ran.Load() {
		t.Errorf("%v", out)
	}
}

func TestCyclicStepsEndWithErrCycle(t *testing.T) {
	out := graph.Run(t.Context(), []graph.Step{{Needs: []int{1}}, {Needs: []int{0}}, {After: []int{1}}, {}})
	for i, want := range []error{graph.ErrCycle, graph.ErrCycle, graph.ErrCycle, nil} {
		if out[i] != want {
			t.Errorf("step %d: %v, want %v", i, out[i], want)
		}
	}
}
