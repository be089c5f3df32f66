package observe

import (
	"slices"
	"unique"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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
	uses      map[int]used // by the number of a revision, for those that count
	found     bool         // it was handed out as Found, or came later
	followed  []place      // whose feeds have its objects
	reported  []place      // those of them that were reported as Unwatched
}

// used are the kinds of a revision's objects, as its metadata noted or its body had
// them.
type used struct {
	uid   types.UID
	kinds unique.Handle[string]
	uses  []Use
}

// of reports whether the kinds are those of a revision as it is now.
func (u used) of(r *record) bool { return u.uid == r.uid && u.kinds == r.kinds }

// newest is the newest revision, and the newest that is deployed if that is
// another one; nil: there is none.
func (r *release) newest() (last, live *record) {
	for _, rev := range r.revisions {
		if rev.revision == 0 {
			continue
		}
		if last == nil || rev.revision > last.revision {
			last = rev
		}
		if rev.status == deployed && (live == nil || rev.revision > live.revision) {
			live = rev
		}
	}
	if live == last {
		live = nil
	}
	return last, live
}

// matches reports whether the release is selected by its labels.
func (r *release) matches() bool {
	last, _ := r.newest()
	return last == nil || last.matches
}

// counting are the revisions whose objects may be live.
func (r *release) counting() []*record {
	last, live := r.newest()
	switch {
	case last == nil, last.status == uninstalled:
		return nil
	case live != nil:
		return []*record{last, live}
	}
	return []*record{last}
}

// unread are the revisions that count of which it is not known yet which kinds they
// have objects of.
func (r *release) unread() []*record {
	return slices.DeleteFunc(r.counting(), func(rev *record) bool {
		u, ok := r.uses[rev.revision]
		return ok && u.of(rev)
	})
}

// allUses are the kinds of all revisions that count, each once.
func (r *release) allUses() []Use {
	var out []Use
	for _, u := range r.uses {
		for _, use := range u.uses {
			if !slices.Contains(out, use) {
				out = append(out, use)
			}
		}
	}
	return out
}
