package engine

import (
	"cmp"
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// runState is what has become of a run's steps so far, by index. It is safe for
// concurrent use.
type runState struct {
	mu    sync.Mutex
	steps []stepState
}

type stepState struct {
	live    *unstructured.Unstructured // as it was last read or written; nil: it does not exist
	ended   bool                       // its terminal event was sent
	related int                        // how many of its related changes have had theirs
	skip    string                     // why it is skipped, if more is known than that something failed
}

func newRunState(steps []step) *runState {
	s := &runState{steps: make([]stepState, len(steps))}
	for i, step := range steps {
		s.steps[i].live = step.object.live
	}
	return s
}

func (s *runState) live(i int) *unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[i].live
}

func (s *runState) setLive(i int, u *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps[i].live = u
}

// unchanged reports whether no step has written or deleted its object so far.
func (s *runState) unchanged(steps []step) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, step := range steps {
		if s.steps[i].live != step.object.live {
			return false
		}
	}
	return true
}

func (s *runState) ended(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[i].ended
}

func (s *runState) end(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps[i].ended = true
}

func (s *runState) skipReason(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[i].skip
}

func (s *runState) setSkipReason(i int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps[i].skip = reason
}

// takeRelated marks the related changes of a step before the one at to as
// having had their terminal event, and returns where those begin that had not.
func (s *runState) takeRelated(i, to int) (from int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from = s.steps[i].related
	s.steps[i].related = max(from, to)
	return from
}

// end sends the terminal event of a step, and after it those of its related
// changes.
func (r *run) end(i int, e Event) {
	r.state.end(i)
	r.e.events.emit(e)
	r.endRelated(i, len(r.w.steps[i].related), e)
}

// endRelated sends the terminal events of the first related changes of a step,
// up to but not to the one at to, as far as they have had none.
func (r *run) endRelated(i, to int, e Event) {
	s := r.w.steps[i]
	for n := r.state.takeRelated(i, to); n < to; n++ {
		r.e.events.emit(relatedEvent(about(r.p.Key), s.object.id, s.related[n], e))
	}
}

// relatedEvent is the terminal event of a change that comes with that of
// object, whose own is e.
func relatedEvent(about EventMeta, object diff.Object, c diff.Change, e Event) Event {
	switch e := e.(type) {
	case Failed:
		return Skipped{about, c.Object, object.String() + " failed"}
	case Skipped:
		return Skipped{about, c.Object, e.Reason}
	}
	if c.Action == diff.Kept {
		return Kept{about, c.Object, c.Reason}
	}
	return Applied{about, c.Object, c.Action, 0}
}

// skipRest sends the terminal events of the steps that nothing was done about,
// and returns those that should have changed.
func (r *run) skipRest(ctx context.Context) (skipped []SkippedObject) {
	usual := somethingFailed
	if ctx.Err() != nil {
		usual = "the call was ended first"
	}
	for i, s := range r.w.steps {
		switch {
		case !s.named() || r.state.ended(i):
		case s.change.Action == diff.Kept:
			r.end(i, Kept{about(r.p.Key), s.object.id, s.change.Reason})
		default:
			reason := cmp.Or(r.state.skipReason(i), usual)
			skipped = append(skipped, SkippedObject{s.object.id, reason})
			r.end(i, Skipped{about(r.p.Key), s.object.id, reason})
		}
	}
	return skipped
}

// reportUnchanged sends the terminal event of every step of a plan that
// changes nothing.
func (r *run) reportUnchanged() {
	for _, s := range r.w.steps {
		switch {
		case !s.named():
		case s.change.Action == diff.Kept:
			r.e.events.emit(Kept{about(r.p.Key), s.object.id, s.change.Reason})
		default:
			r.e.events.emit(Applied{about(r.p.Key), s.object.id, s.change.Action, 0})
		}
	}
}
