package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
)

// pruneAttempts deletes what only attempts wanted that did not become healthy,
// if there are more revisions than are kept: a deploy that fails does not get to
// deleting, and without it none of those attempts could be forgotten.
func (r *run) pruneAttempts(ctx context.Context) {
	if keep := r.opts.history(); keep < 0 || len(r.w.history.inventory.Revisions)+1 <= keep || ctx.Err() != nil {
		return
	}
	healthy := map[diff.Object]bool{}
	for _, record := range r.w.history.base {
		if !wasHealthy(record.Status) {
			continue
		}
		wanted, ok := objectsWantedBy(record)
		if !ok {
			return
		}
		for o := range wanted {
			healthy[o] = true
		}
	}
	for i, s := range r.w.steps {
		if s.change.Action == diff.Deleted && s.object.desired == nil && !s.object.isSetParent() && !r.state.ended(i) && !healthy[inRelease(r.p.Key, s.object.id)] {
			_ = r.deleteStep(ctx, i, r.opts.Foreground) // its event has the failure, and its revision stays
		}
	}
}

// remainingObjects are the objects that are no longer wanted and are still there.
func (r *run) remainingObjects() map[diff.Object]bool {
	out := map[diff.Object]bool{}
	for i, s := range r.w.steps {
		if s.change.Action == diff.Deleted && r.state.live(i) != nil {
			out[inRelease(r.p.Key, s.object.id)] = true
		}
	}
	return out
}
