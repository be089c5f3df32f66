package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-dev/fairlead/internal/graph"
)

func TestStepsWaitForWhatTheyNeedAndForNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ends := map[int]time.Duration{}
		var mu sync.Mutex
		step := func(i int, takes time.Duration, needs ...int) graph.Step {
			return graph.Step{Needs: needs, Do: func(context.Context) error {
				time.Sleep(takes)
				mu.Lock()
				defer mu.Unlock()
				ends[i] = time.Since(begun)
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

func TestWhatNeedsAFailureIsSkipped(t *testing.T) {
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
		t.Error("what does not need it was not done")
	}
}

func TestAnEndedContextBeginsNothingNew(t *testing.T) {
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

func TestStepsInACircleEndToo(t *testing.T) {
	out := graph.Run(t.Context(), []graph.Step{{Needs: []int{1}}, {Needs: []int{0}}, {After: []int{1}}, {}})
	for i, want := range []error{graph.ErrCircle, graph.ErrCircle, graph.ErrCircle, nil} {
		if out[i] != want {
			t.Errorf("step %d: %v, want %v", i, out[i], want)
		}
	}
}

// Graphs drawn at random: what Circles finds are circles, and without their
// closing edges all runs, each step after those it needs.
func TestCirclesAreAllOfThem(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(12)
		needs := make([][]int, n)
		for range rnd.IntN(2 * n) {
			i, j := rnd.IntN(n), rnd.IntN(n)
			if !slices.Contains(needs[i], j) {
				needs[i] = append(needs[i], j)
			}
		}
		cut := map[[2]int]bool{}
		for _, c := range graph.Circles(n, func(i int) []int { return needs[i] }) {
			for k, i := range c {
				if !slices.Contains(needs[i], c[(k+1)%len(c)]) {
					t.Fatalf("seed %d: %v is no circle of %v", seed, c, needs)
				}
			}
			cut[[2]int{c[len(c)-1], c[0]}] = true
		}
		var mu sync.Mutex
		done := map[int]bool{}
		steps := make([]graph.Step, n)
		for i := range steps {
			for _, j := range needs[i] {
				if !cut[[2]int{i, j}] {
					steps[i].Needs = append(steps[i].Needs, j)
				}
			}
			steps[i].Do = func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				for _, j := range steps[i].Needs {
					if !done[j] {
						t.Errorf("seed %d: step %d before %d", seed, i, j)
					}
				}
				done[i] = true
				return nil
			}
		}
		if err := errors.Join(graph.Run(t.Context(), steps)...); err != nil {
			t.Fatalf("seed %d: %v: %v", seed, needs, err)
		}
	}
}
