package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/graph"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// removeOrdered deletes objects in the order that their annotations ask for:
// what depends on another, or is of a later wave, is gone with its pods before
// that one is deleted, and if it does not go that one stays. Within a wave the
// stages come in reverse order, as always.
func (r *run) removeOrdered(ctx context.Context, items []*item, o *order) error {
	steps := make([]graph.Step, len(items))
	index, gone, ends := map[*item]int{}, map[*item]int{}, map[int]int{}
	for i, it := range items {
		index[it] = i
	}
	add := func(s graph.Step) int {
		steps = append(steps, s)
		return len(steps) - 1
	}
	slots := make(chan struct{}, r.e.opts.Concurrency)
	held := map[*item]bool{} // by what is deleted before them; no stage waits for these
	for _, it := range items {
		for _, on := range o.needs[it] {
			held[on] = true
		}
	}
	waves, of := o.byWave(items)
	var needs, after []int // the end of the wave before, and of the stage before
	for n := len(waves) - 1; n >= 0; n-- {
		var all, targets []*item
		for _, stage := range byStage(of[waves[n]]) {
			var here []int
			for _, it := range stage {
				i := index[it]
				steps[i] = graph.Step{Needs: slices.Clone(needs), After: slices.Clone(after), Do: func(ctx context.Context) error {
					select {
					case slots <- struct{}{}:
					case <-ctx.Done():
						return context.Cause(ctx)
					}
					defer func() { <-slots }()
					if err := r.removeItem(ctx, it); err != nil {
						return err
					}
					return nil
				}}
				all = append(all, it)
				if !held[it] {
					here = append(here, i)
				}
				if it.change.Action == diff.Deleted {
					targets = append(targets, it)
				}
			}
			after = []int{add(graph.Step{After: append(here, after...), Do: r.lock.check})}
		}
		if n == 0 {
			break
		}
		end := graph.Step{Needs: slices.Clone(needs), Do: func(ctx context.Context) error { return r.awaitGone(ctx, targets...) }}
		for _, it := range all {
			it.awaited = true
			end.Needs = append(end.Needs, index[it])
		}
		last := add(end)
		ends[last] = waves[n]
		needs, after = []int{last}, nil
	}
	for _, it := range items {
		for _, on := range o.needs[it] {
			if _, ok := gone[it]; !ok {
				it.awaited = true
				gone[it] = add(graph.Step{Needs: []int{index[it]}, Do: func(ctx context.Context) error { return r.awaitGone(ctx, it) }})
			}
			steps[index[on]].Needs = append(steps[index[on]].Needs, gone[it])
		}
	}
	return r.removed(ctx, graph.Run(ctx, steps), items, func(i int, out []error) string {
		for it, step := range gone {
			if out[step] != nil && slices.Contains(o.needs[it], items[i]) {
				return fmt.Sprintf("%s, which depends on it, is still there", it.object)
			}
		}
		for end, wave := range ends {
			if out[end] != nil && o.waves[items[i]] < wave {
				return fmt.Sprintf("objects of wave %d, which go before it, are still there", wave)
			}
		}
		return somethingFailed
	})
}

// removed makes one error of what has become of the steps of a removal.
func (r *run) removed(ctx context.Context, out []error, items []*item, why func(int, []error) string) error {
	failed := &ApplyError{Key: r.p.Key, Revision: r.record.Revision}
	ended := context.Cause(ctx)
	for i, err := range out {
		var skipped *graph.SkippedError
		switch {
		case err == nil || ended != nil && err == ended:
		case errors.As(err, &skipped):
			if i < len(items) {
				r.because(items[i], why(i, out))
			}
		default:
			failed.Failed = append(failed.Failed, asError(r.p.Key, err))
		}
	}
	if ended != nil {
		return ended
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
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
