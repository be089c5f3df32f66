// Package graph carries out steps that need each other: whatever can go at
// once does, and what needs a step that failed is left out.
//
// Steps are known by their index. What limits how many run at once, and what
// becomes of an error, is the caller's business.
package graph

import (
	"context"
	"errors"
	"fmt"
)

// Step is one thing to do.
type Step struct {
	// Needs are the steps that must have succeeded before.
	Needs []int
	// After are the steps that must have ended before, however.
	After []int
	// Do is called once, beside others. Nil: there is nothing to do.
	Do func(context.Context) error
}

// SkippedError is the outcome of a step that was not done.
type SkippedError struct {
	Cause int // the step that it needs and that did not succeed
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("skipped, because step %d did not succeed", e.Cause)
}

// ErrCircle is the outcome of steps that wait for each other, or for such.
var ErrCircle = errors.New("the steps wait for each other")

// Run does all steps and answers the outcome of each: nil, the error of Do, a
// *SkippedError, ErrCircle, or the context's error if that ended first. It
// returns when the last one has ended.
func Run(ctx context.Context, steps []Step) []error {
	out := make([]error, len(steps))
	ended := make([]bool, len(steps))
	open := make([]int, len(steps))
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
			out[i] = ErrCircle
		}
	}
	return out
}

// Circles finds those among n steps that need each other; needs answers what a
// step needs. Every step of a circle needs the next one, the last one the
// first. Without the edges from the last steps to the first ones, none is left.
func Circles(n int, needs func(int) []int) [][]int {
	const (
		fresh = iota
		open
		closed
	)
	state := make([]int, n)
	var path []int
	var out [][]int
	var visit func(int)
	visit = func(i int) {
		state[i] = open
		path = append(path, i)
		for _, j := range needs(i) {
			switch state[j] {
			case fresh:
				visit(j)
			case open:
				from := len(path) - 1
				for path[from] != j {
					from--
				}
				out = append(out, append([]int(nil), path[from:]...))
			}
		}
		path = path[:len(path)-1]
		state[i] = closed
	}
	for i := range n {
		if state[i] == fresh {
			visit(i)
		}
	}
	return out
}
