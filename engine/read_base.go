package engine

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// clockSkew is how far the clocks of two API servers of one cluster may be
// apart, including the seconds that they round to.
const clockSkew = time.Second

func (r *reader) selectBases(context.Context) error {
	for _, o := range r.objects {
		o.base, o.unwritten = selectBase(o.candidates, o.live, r.manager)
	}
	return nil
}

// selectBase finds which of the candidates, oldest first, was written last: the
// base by which drift is recognised. unwritten reports that none of them was.
//
// A revision that failed may have written an object or not: what failed in a
// hook, or before the object's turn, is no base. What was written recently is
// known from managedFields, which say when the release wrote the object last;
// where that is too close to the time of a revision, the live values decide.
func selectBase(candidates []candidate, live *unstructured.Unstructured, manager string) (base *unstructured.Unstructured, unwritten bool) {
	n := len(candidates)
	if n == 0 {
		return nil, false
	}
	newest := candidates[n-1]
	if newest.healthy {
		return newest.object, false
	}
	if live == nil {
		// What no healthy revision had was never seen live.
		for _, c := range candidates {
			if c.healthy {
				return newest.object, false
			}
		}
		return newest.object, true
	}
	at, known := lastWritten(live, manager)
	for i := n - 1; i >= 0; i-- {
		c := candidates[i]
		base = c.object
		if c.healthy || !known || c.recorded.IsZero() || at.Sub(c.recorded) > clockSkew {
			return base, false
		}
		var before map[string]any
		if i > 0 {
			before = candidates[i-1].object.Object
		}
		if c.recorded.Sub(at) <= clockSkew && shows(live.Object, before, c.object.Object) {
			return base, false
		}
	}
	return base, true // it existed before the release
}

// lastWritten is when the release wrote the live object last, by this engine or
// by another of its tools; zero: never. It is not known if managedFields hold
// no time.
func lastWritten(live *unstructured.Unstructured, manager string) (at time.Time, known bool) {
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource != "" || entry.Manager != manager && !ownsMark(entry) {
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

// shows reports whether live differs from before at any place where after does.
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
