package graph

import (
	"context"
	"errors"
	"fmt"
)

// Step is one unit of work.
type Step struct {
	// Needs are the steps that must have succeeded before this one starts.
	Needs []int
	// After are the steps that must have ended before this one starts, whether
	// they succeeded or not.
	After []int
	// Do is called once, concurrently with other steps. Nil means that there is
	// nothing to do.
	Do func(context.Context) error
}

// SkippedError is the outcome of a step that was not run because a step that it
// needs did not succeed.
type SkippedError struct {
	Cause int // the first of its Needs that did not succeed
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("skipped: step %d did not succeed", e.Cause)
}

// ErrCycle is the outcome of steps that depend on each other in a cycle, and of
// those that depend on such steps.
var ErrCycle = errors.New("dependency cycle")

// Run runs all steps and returns the outcome of each, by index: nil, the error
// of Do, a *SkippedError, ErrCycle, or the cause of the context's end if that
// came first. It returns once the last step has ended.
func Run(ctx context.Context, steps []Step) []error {
	out := make([]error, len(steps))
	ended := make([]bool, len(steps))
	open := make([]int, len(steps)) // dependencies that have not ended
	followers := make([][]int, len(steps))
	for i, s := range steps {
		for _, before := range [][]int{s.Needs, s.After} {
			open[i] += len(before)
			for _, j := range before {
				followers[j] = append(followers[j], i)
			}
		}
	}

	type outcome struct {
		step int
		err  error
	}
	done := make(chan outcome)
	running := 0
	var ready []int
	for i := range steps {
		if open[i] == 0 {
			ready = append(ready, i)
		}
	}
	end := func(i int, err error) {
		out[i], ended[i] = err, true
		for _, f := range followers[i] {
			if open[f]--; open[f] == 0 {
				ready = append(ready, f)
			}
		}
	}
	for {
		for len(ready) > 0 {
			i := ready[0]
			ready = ready[1:]
			s := steps[i]
			err := context.Cause(ctx)
			for _, n := range s.Needs {
				if out[n] != nil {
					err = &SkippedError{Cause: n}
					break
				}
			}
			if err != nil || s.Do == nil {
				end(i, err)
				continue
			}
			running++
			go func() { done <- outcome{i, s.Do(ctx)} }()
		}
		if running == 0 {
			break
		}
		o := <-done
		running--
		end(o.step, o.err)
	}
	for i := range steps {
		if !ended[i] {
			out[i] = ErrCycle
		}
	}
	return out
}
