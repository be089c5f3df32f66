package observe

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Use is a kind that a release has objects of, in a namespace.
type Use struct {
	Kind      schema.GroupVersionKind
	Namespace string // ignored for kinds without namespaces
}

// release is what is known of a release.
type release struct {
	key       Release
	revisions map[name]*record
	uses      map[int][]Use // by the number of a revision, for those that count
	found     bool          // it was handed out as Found, or came later
	followed  []place       // whose feeds have its objects
	reported  []place       // those of them that were reported as Unwatched
}

// newest is the newest revision, and the newest that is deployed if that is
// another one; 0: there is none.
func (r *release) newest() (last *record, live int) {
	for _, rev := range r.revisions {
		if rev.revision == 0 {
			continue
		}
		if last == nil || rev.revision > last.revision {
			last = rev
		}
		if rev.status == deployed {
			live = max(live, rev.revision)
		}
	}
	if last != nil && live == last.revision {
		live = 0
	}
	return last, live
}

// matches reports whether the release is selected by its labels.
func (r *release) matches() bool {
	last, _ := r.newest()
	return last == nil || last.matches
}

// counting are the numbers of the revisions whose objects may be live.
func (r *release) counting() []int {
	last, live := r.newest()
	switch {
	case last == nil, last.status == uninstalled:
		return nil
	case live != 0:
		return []int{last.revision, live}
	}
	return []int{last.revision}
}

// allUses are the kinds of all revisions that count, each once.
func (r *release) allUses() []Use {
	var out []Use
	for _, uses := range r.uses {
		for _, u := range uses {
			if !slices.Contains(out, u) {
				out = append(out, u)
			}
		}
	}
	return out
}
