package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/graph"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// removal is the steps of deleting objects that annotations put in order.
type removal struct {
	o     *order
	items []*item // step i deletes items[i]
	steps []graph.Step
	gone  map[*item]int // the step that waits until it is gone
	ends  map[int]int   // the steps that wait until a wave is gone
}

// removeOrdered deletes objects in the order that their annotations ask for:
// what depends on another, or is of a later wave, is gone with its pods before
// that one is deleted, and if it does not go that one stays. Within a wave the
// stages come in reverse order, as always.
func (r *run) removeOrdered(ctx context.Context, items []*item, o *order) error {
	m := r.layOutRemoval(items, o)
	return m.outcome(ctx, r, graph.Run(ctx, m.steps))
}

func (r *run) layOutRemoval(items []*item, o *order) *removal {
	steps := make([]graph.Step, len(items))
	index, gone, ends := map[*item]int{}, map[*item]int{}, map[int]int{}
	for i, it := range items {
		index[it] = i
	}
	add := func(s graph.Step) int {
		steps = append(steps, s)
		return len(steps) - 1
	}
	slots := make(slots, r.e.opts.Concurrency)
	dependents := map[*item][]*item{}
	for _, it := range items {
		for _, on := range o.needs[it] {
			dependents[on] = append(dependents[on], it)
		}
	}
	isGone := func(it *item) int {
		if _, ok := gone[it]; !ok {
			it.awaited = true
			gone[it] = add(graph.Step{Needs: []int{index[it]}, Do: func(ctx context.Context) error { return r.awaitGone(ctx, it) }})
		}
		return gone[it]
	}
	waves, of := o.byWave(items)
	var begin []int // the end of the wave before
	for n := len(waves) - 1; n >= 0; n-- {
		var targets []*item
		type end struct{ kind, step int }
		var ended []end // of the stages of what waits for nothing, the last one at the end
		for l, lane := range lanes(of[waves[n]], func(it *item) []*item { return dependents[it] }, index) {
			var last []int
			for _, stage := range byStage(lane) {
				kind := stageOf(stage[0].object)
				after := slices.Clone(last)
				for _, e := range slices.Backward(ended) {
					if l > 0 && e.kind > kind {
						after = append(after, e.step)
						break
					}
				}
				needs := slices.Clone(begin)
				for _, by := range dependents[stage[0]] { // and of all in the lane
					needs = append(needs, isGone(by))
				}
				done := slices.Clone(last)
				for _, it := range stage {
					i := index[it]
					steps[i] = graph.Step{Needs: needs, After: after, Do: slots.step(r.removeItem, it)}
					done = append(done, i)
					if it.change.Action == diff.Deleted {
						targets = append(targets, it)
					}
				}
				step := add(graph.Step{After: done, Do: r.lock.check})
				if last = []int{step}; l == 0 {
					ended = append(ended, end{kind, step})
				}
			}
		}
		if n == 0 {
			break
		}
		wave := graph.Step{Needs: slices.Clone(begin), Do: func(ctx context.Context) error { return r.awaitGone(ctx, targets...) }}
		for _, it := range of[waves[n]] {
			it.awaited = true
			wave.Needs = append(wave.Needs, index[it])
		}
		begin = []int{add(wave)}
		ends[begin[0]] = waves[n]
	}
	return &removal{o, items, steps, gone, ends}
}

// outcome makes one error of what has become of the steps, and notes why
// objects were skipped.
func (m *removal) outcome(ctx context.Context, r *run, out []error) error {
	failed := r.failures(ctx, m.items, out, func(i int) string { return m.whySkipped(m.items[i], out) })
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
}

// whySkipped says why an object was not deleted, for people.
func (m *removal) whySkipped(it *item, out []error) string {
	for by, step := range m.gone {
		if out[step] != nil && slices.Contains(m.o.needs[by], it) {
			return fmt.Sprintf("%s, which depends on it, is still there", by.object)
		}
	}
	for end, wave := range m.ends {
		if out[end] != nil && m.o.waves[it] < wave {
			return fmt.Sprintf("objects of wave %d, which go before it, are still there", wave)
		}
	}
	return somethingFailed
}

// awaitGone waits until objects that were deleted are no more.
func (r *run) awaitGone(ctx context.Context, items ...*item) error {
	var targets []readiness.Target
	for _, it := range items {
		targets = append(targets, target(it))
	}
	if len(targets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	if err := readiness.WaitGone(ctx, targets, r.e.waitOptions()); err != nil {
		failed := &Error{Op: "wait for the deletion", Key: r.p.Key, Err: notReady(r.p.Key, r.record.Revision, r.w.redactor, err)}
		if len(items) == 1 {
			failed.Object = items[0].object
		}
		return failed
	}
	return nil
}
