package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// clockSkew is how far the clocks of two API servers of one cluster may be
// apart, the seconds that they round to included.
const clockSkew = time.Second

// candidate is an object as one revision has it, which may be what is there.
type candidate struct {
	object *unstructured.Unstructured
	// recorded is when the API server stored the revision, which is before
	// anything of it was written.
	recorded time.Time
	healthy  bool // the revision was deployed once, and so was written wholly
	member   bool // of the release's apply set
}

func candidateOf(u *unstructured.Unstructured, r *storage.Record) candidate {
	return candidate{u, r.Created(), settled(r.Status), r.ApplySet}
}

// settleBase finds which of the candidates was written last. A revision that
// failed may have written an object or not: what came to nothing in a hook, or
// before the object's turn, is no base to tell drift by. What was written
// lately is told by the API server's own note of when the release wrote the
// object last, and where that is too close to the time of a revision, by what
// the object shows.
func (pl *planning) settleBase(it *item) {
	n := len(it.candidates)
	if n == 0 {
		return
	}
	it.base = it.candidates[n-1].object
	if it.candidates[n-1].healthy {
		return
	}
	if it.live == nil {
		// What no healthy revision had was never seen to be there.
		it.unwritten = true
		for _, v := range it.candidates {
			it.unwritten = it.unwritten && !v.healthy
		}
		return
	}
	at, known := pl.lastWritten(it.live)
	for i := n - 1; i >= 0; i-- {
		v := it.candidates[i]
		it.base = v.object
		if v.healthy || !known || v.recorded.IsZero() || at.Sub(v.recorded) > clockSkew {
			return
		}
		var before map[string]any
		if i > 0 {
			before = it.candidates[i-1].object.Object
		}
		if v.recorded.Sub(at) <= clockSkew && shows(it.live.Object, before, v.object.Object) {
			return
		}
	}
	// None was: it was there before the release.
	it.unwritten = true
}

// lastWritten is when the release wrote the live object last, be it by this
// engine or by another of its tools; zero if it never did. It is not known if
// the API server does not tell.
func (pl *planning) lastWritten(live *unstructured.Unstructured) (at time.Time, known bool) {
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource != "" || entry.Manager != pl.manager && !ownsMark(entry) {
			continue
		}
		if entry.Time == nil {
			return time.Time{}, false
		}
		if entry.Time.After(at) {
			at = entry.Time.Time
		}
	}
	return at, true
}

// shows says whether live is other than before at any place where after is.
func shows(live, before, after any) bool {
	if jsonEqual(before, after) {
		return false
	}
	switch after := after.(type) {
	case map[string]any:
		was, _ := before.(map[string]any)
		is, _ := live.(map[string]any)
		for key := range after {
			if shows(is[key], was[key], after[key]) {
				return true
			}
		}
		for key := range was {
			if _, still := after[key]; !still && is[key] == nil {
				return true
			}
		}
		return false
	case []any:
		was, _ := before.([]any)
		is, _ := live.([]any)
		if len(was) != len(after) || len(is) != len(after) {
			return len(is) != len(was)
		}
		for i := range after {
			if shows(is[i], was[i], after[i]) {
				return true
			}
		}
		return false
	}
	return !jsonEqual(live, before)
}
