package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/internal/graph"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// schedule is the steps of writing objects that annotations put in order: one
// for writing each, one for waiting until it is ready if another that changes
// needs that, and one at the end of each stage and each wave.
//
// An object that waits for others is taken out of its stage: it comes after
// the stages below its own, and after it come only what depends on it, the
// next wave, and what waits for the same and is of a later stage.
type schedule struct {
	r     *run
	o     *order
	items []*item // step i writes items[i]
	steps []graph.Step
	index map[*item]int
	ready map[*item]int // the step that waits for it
	ends  map[int]int   // the steps that wait for a wave
	slots slots         // waiting takes none
}

// applyOrdered writes objects in the order that annotations ask for. What
// depends on a failure is skipped, what does not goes on.
func (r *run) applyOrdered(ctx context.Context, items []*item, o *order) error {
	s := &schedule{
		r: r, o: o, items: items, steps: make([]graph.Step, len(items)),
		index: map[*item]int{}, ready: map[*item]int{}, ends: map[int]int{},
		slots: make(slots, r.e.opts.Concurrency),
	}
	for i, it := range items {
		s.index[it] = i
	}
	s.layOut()
	return s.outcome(ctx, graph.Run(ctx, s.steps))
}

func (s *schedule) layOut() {
	wanted := s.wanted()
	waits := func(it *item) []*item {
		if wanted[it] {
			return s.o.needs[it]
		}
		return nil
	}
	waves, of := s.o.byWave(s.items)
	var begin []int // the step at the end of the wave before
	for n, wave := range waves {
		var all []int
		ends := map[int]int{} // of the stages of what waits for nothing
		for l, lane := range lanes(of[wave], waits, s.index) {
			last := begin
			for _, stage := range byStage(lane) {
				kind := stageOf(stage[0].object)
				needs := slices.Clone(last)
				for _, on := range waits(stage[0]) { // and of all in the lane
					needs = append(needs, s.waitFor(on))
				}
				for below := kind - 1; l > 0 && below >= 0; below-- {
					if end, ok := ends[below]; ok {
						needs = append(needs, end)
						break
					}
				}
				done := slices.Clone(last)
				for _, it := range stage {
					i := s.index[it]
					s.steps[i] = graph.Step{Needs: needs, Do: s.slots.step(s.r.applyItem, it)}
					done = append(done, i)
				}
				end := s.add(done, func(ctx context.Context) error { return s.endStage(ctx, stage) })
				if last = []int{end}; l == 0 {
					ends[kind] = end
				}
			}
			all = append(all, last...)
		}
		members := of[wave]
		awaited := slices.ContainsFunc(waves[n+1:], func(later int) bool {
			return slices.ContainsFunc(of[later], func(it *item) bool { return it.change.Changed() })
		})
		if !awaited {
			members = nil
		}
		end := s.add(all, func(ctx context.Context) error {
			return s.await(ctx, fmt.Sprintf("wait for wave %d", wave), members...)
		})
		s.ends[end] = wave
		begin = []int{end}
	}
}

// wanted are the objects that change, and those that they come after, however
// far: only these wait for anything.
func (s *schedule) wanted() map[*item]bool {
	out := map[*item]bool{}
	var want func(*item)
	want = func(it *item) {
		if out[it] {
			return
		}
		out[it] = true
		for _, on := range s.o.needs[it] {
			want(on)
		}
	}
	for _, it := range s.items {
		if it.change.Changed() {
			want(it)
		}
	}
	return out
}

func (s *schedule) add(needs []int, do func(context.Context) error) int {
	s.steps = append(s.steps, graph.Step{Needs: needs, Do: do})
	return len(s.steps) - 1
}

func (s *schedule) waitFor(on *item) int {
	if i, ok := s.ready[on]; ok {
		return i
	}
	i := s.add([]int{s.index[on]}, func(ctx context.Context) error {
		if on.mapping.GroupVersionKind.GroupKind() == crdKind {
			return s.r.serve(ctx, []*item{on})
		}
		return s.await(ctx, "wait for", on)
	})
	s.ready[on] = i
	return i
}

// slots bounds how many requests steps have in flight.
type slots chan struct{}

// step is what one step does about an object when there is a slot.
func (s slots) step(do func(context.Context, *item) *Error, it *item) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case s <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-s }()
		return orNil(do(ctx, it))
	}
}

// endStage waits for CRDs to be served, as their objects come next.
func (s *schedule) endStage(ctx context.Context, items []*item) error {
	if err := s.r.lock.check(ctx); err != nil {
		return err
	}
	var crds []*item
	for _, it := range items {
		if s.r.defines(it) {
			crds = append(crds, it)
		}
	}
	return s.r.serve(ctx, crds)
}

// await waits until items are ready. What is so already costs no request.
func (s *schedule) await(ctx context.Context, op string, items ...*item) error {
	var targets []readiness.Target
	for _, it := range items {
		if it.live != nil && readiness.Assess(it.live, s.r.e.rules).State != readiness.Ready {
			targets = append(targets, target(it))
		}
	}
	err := s.r.wait(ctx, targets, s.r.waitOptions(), newTeller(s.r, false))
	if err == nil {
		return s.r.lock.check(ctx)
	}
	failed := &Error{Op: op, Key: s.r.p.Key, Err: err}
	if len(items) == 1 {
		failed.Object = items[0].object
	}
	return failed
}

// outcome makes one error of what has become of the steps, and notes why
// objects were skipped.
func (s *schedule) outcome(ctx context.Context, out []error) error {
	failed := s.r.failures(ctx, s.items, out, func(i int) string { return s.whySkipped(i, out) })
	if ended := context.Cause(ctx); ended != nil && !errors.Is(failed, ended) {
		failed.Failed = append(failed.Failed, asError(s.r.p.Key, ended))
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
}

// failures are the steps that failed, of which step i is about items[i], but
// for those that the context ended. Why what was skipped was so is noted.
func (r *run) failures(ctx context.Context, items []*item, out []error, why func(i int) string) *ApplyError {
	failed := &ApplyError{Key: r.p.Key, Revision: r.record.Revision}
	ended := context.Cause(ctx)
	for i, err := range out {
		var skipped *graph.SkippedError
		switch {
		case err == nil || ended != nil && err == ended:
		case errors.As(err, &skipped):
			if i < len(items) {
				r.because(items[i], why(i))
			}
		default:
			failed.Failed = append(failed.Failed, asError(r.p.Key, err))
		}
	}
	return failed
}

// whySkipped says why an object was not written, for people.
func (s *schedule) whySkipped(i int, out []error) string {
	it := s.items[i]
	for _, on := range s.o.needs[it] {
		step, waited := s.ready[on]
		if !waited || out[step] == nil {
			continue
		}
		var skipped *graph.SkippedError
		switch {
		case !errors.As(out[step], &skipped):
			return fmt.Sprintf("it depends on %s, which did not become ready", on.object)
		case errors.As(out[s.index[on]], &skipped):
			return fmt.Sprintf("it depends on %s, which was not tried", on.object)
		}
		return fmt.Sprintf("it depends on %s, which failed", on.object)
	}
	for end, wave := range s.ends {
		var skipped *graph.SkippedError
		if out[end] != nil && wave < s.o.waves[it] && !errors.As(out[end], &skipped) {
			return fmt.Sprintf("wave %d, which comes before it, did not become ready", wave)
		}
	}
	return somethingFailed
}
