package observe

import (
	"slices"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// findKinds finds out which kinds the releases have objects of that have changed, from
// what the metadata of their revisions note. It leaves the others to readKinds.
func (o *Observer) findKinds() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for r := range o.dirty {
		known := o.releases[r]
		if known == nil {
			delete(o.dirty, r)
			o.resolve = true
			continue
		}
		for _, rev := range known.unread() {
			if rev.kinds == (unique.Handle[string]{}) {
				continue
			}
			if uses, ok := o.opts.Histories.Noted(r, rev.kinds.Value()); ok {
				known.uses[rev.revision] = used{rev.uid, rev.kinds, uses}
			}
		}
		if len(known.unread()) > 0 {
			o.unread[r] = true
		} else {
			counting := known.counting()
			for n := range known.uses {
				if !slices.ContainsFunc(counting, func(rev *record) bool { return rev.revision == n }) {
					delete(known.uses, n)
				}
			}
			delete(o.dirty, r)
		}
		if !o.resolve && !o.isFollowed(known) {
			o.resolve = true
		}
		o.reportFound(r, known)
	}
	if len(o.unread) > 0 {
		wake(o.wakeReader)
	}
}

// isFollowed notes which feeds a release needs, and reports whether these are just
// those that it needed before, and more that there are already. The caller has locked.
func (o *Observer) isFollowed(r *release) bool {
	followed := o.placesOf(r, o.kinds)
	if slices.ContainsFunc(r.followed, func(at place) bool { return !slices.Contains(followed, at) }) {
		return false
	}
	for _, u := range r.allUses() {
		if _, known := o.kinds[u.Kind]; !known {
			return false
		}
	}
	if slices.ContainsFunc(followed, func(at place) bool { return o.feeds[at] == nil }) {
		return false
	}
	r.followed = followed
	o.reportUnwatched(r.key, r)
	return true
}

// followKinds starts the feeds of kinds that are used, and stops those of others, and
// of versions that are no longer served.
// It returns false if that has to be tried again.
func (o *Observer) followKinds() bool {
	o.mu.Lock()
	if !o.resolve {
		o.mu.Unlock()
		return true
	}
	o.resolve = false
	kinds := map[schema.GroupVersionKind]*meta.RESTMapping{}
	for _, r := range o.releases {
		for _, u := range r.uses {
			for _, use := range u.uses {
				kinds[use.Kind] = nil
			}
		}
	}
	o.mu.Unlock()
	complete := o.mapKinds(kinds)

	o.mu.Lock()
	o.kinds = kinds
	wanted := o.places(kinds)
	var stopped, started []*feed
	for at, f := range o.feeds {
		if m := wanted[at]; m == nil || m.GroupVersionKind != f.kind {
			stopped = append(stopped, f)
			delete(o.feeds, at)
		}
	}
	for at, m := range wanted {
		if o.feeds[at] == nil {
			f := &feed{
				place: at, kind: m.GroupVersionKind, namespaced: cluster.Namespaced(m), handler: objects{o}, records: map[name]*record{},
				source: &objectSource{o.opts.Cluster, m, at.namespace, &o.reducer},
			}
			o.feeds[at] = f
			started = append(started, f)
		}
	}
	for key, r := range o.releases {
		o.reportUnwatched(key, r)
		o.reportFound(key, r)
	}
	if !complete {
		o.resolve = true
	}
	o.mu.Unlock()
	for _, f := range started {
		f.start(o.ctx, o.logger)
	}
	for _, f := range stopped {
		f.stop()
	}
	return complete
}

// mapKinds fills in the resources of kinds; those that are not served stay nil.
func (o *Observer) mapKinds(kinds map[schema.GroupVersionKind]*meta.RESTMapping) (complete bool) {
	complete = true
	for gvk := range kinds {
		m, err := o.opts.Cluster.Mapping(o.ctx, gvk, time.Time{})
		if meta.IsNoMatchError(err) {
			m, err = o.opts.Cluster.ServedVersion(o.ctx, gvk.GroupKind())
		}
		if err != nil {
			if o.ctx.Err() == nil {
				o.logger.Info("Cannot find the resource of a kind; trying again", "kind", gvk, "err", err)
			}
			complete = false
			continue
		}
		kinds[gvk] = m
	}
	return complete
}

// places are what the feeds of all releases follow, and notes for each release
// which of them it needs. The caller has locked.
func (o *Observer) places(kinds map[schema.GroupVersionKind]*meta.RESTMapping) map[place]*meta.RESTMapping {
	out := map[place]*meta.RESTMapping{}
	for _, r := range o.releases {
		r.followed = o.placesOf(r, kinds)
		for _, used := range r.uses {
			for _, u := range used.uses {
				m := kinds[u.Kind]
				if m == nil {
					continue
				}
				at := o.placeOf(u, m)
				if have := out[at]; have == nil || o.prefers(at, m, have) {
					out[at] = m
				}
			}
		}
	}
	return out
}

// placesOf are those in which a release has objects, as far as their kinds are served.
// The caller has locked.
func (o *Observer) placesOf(r *release, kinds map[schema.GroupVersionKind]*meta.RESTMapping) []place {
	var out []place
	for _, used := range r.uses {
		for _, u := range used.uses {
			if m := kinds[u.Kind]; m != nil {
				if at := o.placeOf(u, m); !slices.Contains(out, at) {
					out = append(out, at)
				}
			}
		}
	}
	return out
}

// placeOf is where objects of a use are followed. The caller has locked.
func (o *Observer) placeOf(u Use, m *meta.RESTMapping) place {
	at := place{resource: m.Resource.GroupResource()}
	if cluster.Namespaced(m) && (len(o.opts.Namespaces) > 0 || o.narrow[at.resource]) {
		at.namespace = u.Namespace
	}
	return at
}

// prefers reports whether of two versions of a kind the first one is to be watched:
// the one that is watched already, or the same one each time. The caller has locked.
func (o *Observer) prefers(at place, a, b *meta.RESTMapping) bool {
	if f := o.feeds[at]; f != nil && (f.kind == a.GroupVersionKind || f.kind == b.GroupVersionKind) {
		return f.kind == a.GroupVersionKind
	}
	return a.GroupVersionKind.Version > b.GroupVersionKind.Version
}

// reportFound hands out a release once all of its objects are seen, or cannot be.
// The caller has locked.
func (o *Observer) reportFound(key Release, r *release) {
	if r.found || o.dirty[key] || o.resolve {
		return
	}
	for _, at := range r.followed {
		if f := o.feeds[at]; f == nil || !f.known && f.err == nil {
			return
		}
	}
	r.found = true
	o.touch(key, Event{Reason: Found})
}

// Resources are those of which objects are watched.
func (o *Observer) Resources() []schema.GroupResource {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []schema.GroupResource
	for at := range o.feeds {
		if !slices.Contains(out, at.resource) {
			out = append(out, at.resource)
		}
	}
	return out
}
