package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/order"
	"github.com/fairlead-dev/fairlead/internal/graph"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// byStage cuts steps that are sorted by stage where the stage changes.
func (r *run) byStage(steps []int) [][]int {
	return order.Stages(steps, func(i int) int { return order.Stage(r.w.steps[i].object.id.Kind) })
}

// applyOrdered writes objects in the order that annotations ask for. What
// depends on a failure is skipped, the rest continues.
func (r *run) applyOrdered(ctx context.Context, steps []int, o *annotatedOrder) error {
	slots := make(slots, r.e.opts.Concurrency) // waiting takes none
	result := graph.NewSchedule(nodesOf(r.w.steps, steps, o), graph.Forward, graph.Actions{
		Do: func(ctx context.Context, n int) error {
			return slots.do(ctx, func() *Error { return r.applyStep(ctx, steps[n]) })
		},
		EndStage: func(ctx context.Context, nodes []int) error { return r.endStage(ctx, pick(steps, nodes)) },
		Await: func(ctx context.Context, n int) error {
			if r.w.steps[steps[n]].object.isDefinition() {
				return r.waitServed(ctx, []int{steps[n]})
			}
			return r.waitFor(ctx, "wait for", []int{steps[n]})
		},
		EndWave: func(ctx context.Context, wave int, nodes []int) error {
			return r.waitFor(ctx, fmt.Sprintf("wait for wave %d", wave), pick(steps, nodes))
		},
	}).Run(ctx)
	failed := r.failures(ctx, result)
	for n, i := range steps {
		if why, skipped := result.Skipped(n); skipped {
			r.state.setSkipReason(i, whyNotApplied(why, r.objectOfNode(steps, why.Node)))
		}
	}
	if ended := context.Cause(ctx); ended != nil && !errors.Is(failed, ended) {
		failed.Failed = append(failed.Failed, asError(r.p.Key, ended))
	}
	return outcomeOf(failed, result)
}

// outcomeOf is the error of what was scheduled; nil if all of it was done.
func outcomeOf(failed *ApplyError, result graph.Result) error {
	switch {
	case slices.ContainsFunc(result.Failures(), func(err error) bool { return errors.Is(err, errInTransition) }):
		return errInTransition // what failed is tried again by the next pass
	case len(failed.Failed) > 0:
		return failed
	}
	return nil
}

// deleteOrdered deletes objects in the order that annotations ask for: what
// depends on another, or is of a later wave, is gone with its pods before that
// one is deleted, and if it does not go that one stays. Within a wave the
// stages come in reverse order, as always.
func (r *run) deleteOrdered(ctx context.Context, steps []int, o *annotatedOrder) error {
	nodes := nodesOf(r.w.steps, steps, o)
	for n := range nodes {
		nodes[n].Idle = false
	}
	slots := make(slots, r.e.opts.Concurrency)
	var schedule *graph.Schedule
	schedule = graph.NewSchedule(nodes, graph.Reverse, graph.Actions{
		Do: func(ctx context.Context, n int) error {
			return slots.do(ctx, func() *Error {
				return r.deleteStep(ctx, steps[n], r.opts.Foreground || schedule.Awaited(n))
			})
		},
		EndStage: func(ctx context.Context, _ []int) error { return r.lock.Check(ctx) },
		Await:    func(ctx context.Context, n int) error { return r.waitGone(ctx, []int{steps[n]}) },
		EndWave:  func(ctx context.Context, _ int, nodes []int) error { return r.waitGone(ctx, pick(steps, nodes)) },
	})
	result := schedule.Run(ctx)
	failed := r.failures(ctx, result)
	for n, i := range steps {
		if why, skipped := result.Skipped(n); skipped {
			r.state.setSkipReason(i, whyNotDeleted(why, r.objectOfNode(steps, why.Node)))
		}
	}
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	return outcomeOf(failed, result)
}

// nodesOf are the nodes of some of a plan's steps, with what annotations ask
// for. Node n is steps[n]; needs that are not among them are left out.
func nodesOf(all []step, steps []int, o *annotatedOrder) []graph.Node {
	node := make(map[int]int, len(steps))
	for n, i := range steps {
		node[i] = n
	}
	nodes := make([]graph.Node, len(steps))
	for n, i := range steps {
		nodes[n] = graph.Node{Stage: order.Stage(all[i].object.id.Kind), Wave: o.waves[i], Idle: !all[i].change.Changed()}
		for _, on := range o.needs[i] {
			if need, ok := node[on]; ok {
				nodes[n].Needs = append(nodes[n].Needs, need)
			}
		}
	}
	return nodes
}

// pick are the steps of nodes.
func pick(steps, nodes []int) []int {
	out := make([]int, len(nodes))
	for k, n := range nodes {
		out[k] = steps[n]
	}
	return out
}

// objectOfNode is the object of a node; zero if there is none.
func (r *run) objectOfNode(steps []int, node int) diff.Object {
	if node < 0 {
		return diff.Object{}
	}
	return r.w.steps[steps[node]].object.id
}

// slots bounds how many requests are in flight.
type slots chan struct{}

// do calls write when there is a slot.
func (s slots) do(ctx context.Context, write func() *Error) error {
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s }()
	return orNil(write())
}

// endStage waits for CRDs to be served, as their objects come next.
func (r *run) endStage(ctx context.Context, steps []int) error {
	if err := r.lock.Check(ctx); err != nil {
		return err
	}
	var crds []int
	for _, i := range steps {
		if r.bringsKinds(i) {
			crds = append(crds, i)
		}
	}
	return r.waitServed(ctx, crds)
}

// waitFor waits until objects are ready. Those that are ready already cost no
// request.
func (r *run) waitFor(ctx context.Context, op string, steps []int) error {
	var targets []readiness.Target
	for _, i := range steps {
		if live := r.state.live(i); live != nil && readiness.Assess(live, r.e.rules).State != readiness.Ready {
			s := r.w.steps[i]
			targets = append(targets, r.written(s, readinessTarget(s.object.target, live), live))
		}
	}
	err := r.wait(ctx, waitName(op, r.w.steps, steps), targets, r.waitOptions())
	if err == nil {
		return r.lock.Check(ctx)
	}
	return r.waitError(op, steps, err)
}

// waitName is what is waited for, among the waits of a run.
func waitName(op string, all []step, steps []int) string {
	if len(steps) == 1 {
		return op + " " + all[steps[0]].object.id.String()
	}
	return op
}

// waitGone waits until those objects that are deleted are gone.
func (r *run) waitGone(ctx context.Context, steps []int) error {
	var targets []readiness.Target
	for _, i := range steps {
		if s := r.w.steps[i]; s.change.Action == diff.Deleted {
			targets = append(targets, readinessTarget(s.object.target, s.object.live))
		}
	}
	if len(targets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	if err := r.waitGoneFor(ctx, targets); err != nil {
		return r.waitError("wait for the deletion", steps, notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err))
	}
	return nil
}

// waitError names the object that was waited for, if it is one.
func (r *run) waitError(op string, steps []int, err error) *Error {
	out := &Error{Op: op, Key: r.p.Key, Err: err}
	if len(steps) == 1 {
		out.Object = r.w.steps[steps[0]].object.id
	}
	return out
}

// failures are the actions that failed, other than by the end of the context.
func (r *run) failures(ctx context.Context, result graph.Result) *ApplyError {
	failed := r.applyError()
	ended := context.Cause(ctx)
	for _, err := range result.Failures() {
		if (ended == nil || err != ended) && !errors.Is(err, errInTransition) {
			failed.Failed = append(failed.Failed, asError(r.p.Key, err))
		}
	}
	return failed
}

// whyNotApplied is why an object was skipped, for people. on is the object of
// why.Node.
func whyNotApplied(why graph.Reason, on diff.Object) string {
	switch why.Obstacle {
	case graph.NodeNotReady:
		return fmt.Sprintf("it depends on %s, which did not become ready", on)
	case graph.NodeSkipped:
		return fmt.Sprintf("it depends on %s, which was not tried", on)
	case graph.NodeFailed:
		return fmt.Sprintf("it depends on %s, which failed", on)
	case graph.WaveNotReady:
		return fmt.Sprintf("wave %d, which comes before it, did not become ready", why.Wave)
	}
	return somethingFailed
}

// whyNotDeleted is why an object was not deleted, for people. by is the object
// of why.Node.
func whyNotDeleted(why graph.Reason, by diff.Object) string {
	switch why.Obstacle {
	case graph.NodeNotReady, graph.NodeSkipped, graph.NodeFailed:
		return fmt.Sprintf("%s, which depends on it, is still there", by)
	case graph.WaveNotReady, graph.WaveSkipped:
		return fmt.Sprintf("objects of wave %d, which go before it, are still there", why.Wave)
	}
	return somethingFailed
}
