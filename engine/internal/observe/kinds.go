package observe

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// findKinds reads which kinds the releases have objects of that have changed. It
// returns false if that has to be tried again.
func (o *Observer) findKinds() bool {
	wanted := map[Release][]int{}
	o.mu.Lock()
	for r := range o.dirty {
		known := o.releases[r]
		if known == nil {
			continue
		}
		var missing []int
		for _, n := range known.counting() {
			if _, ok := known.uses[n]; !ok {
				missing = append(missing, n)
			}
		}
		if len(missing) > 0 {
			wanted[r] = missing
		}
	}
	if len(o.dirty) > 0 {
		o.resolve = true
	}
	o.mu.Unlock()
	if len(wanted) > 0 {
		err := o.opts.Histories.Uses(o.ctx, wanted, func(r Release, n int, uses []Use, err error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if known := o.releases[r]; known != nil {
				if known.uses[n] = uses; err != nil {
					o.touch(r, Event{Reason: Unwatched, Err: err})
				}
			}
		})
		if err != nil {
			if o.ctx.Err() == nil {
				o.logger.Info("Cannot read which kinds releases use; trying again", "err", err)
			}
			return false
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for r := range o.dirty {
		known := o.releases[r]
		if known == nil {
			delete(o.dirty, r)
			continue
		}
		counting, read := known.counting(), true
		for _, n := range counting {
			if _, ok := known.uses[n]; !ok {
				read = false // it is gone, which the history will show
			}
		}
		if !read {
			continue
		}
		for n := range known.uses {
			if !slices.Contains(counting, n) {
				delete(known.uses, n)
			}
		}
		delete(o.dirty, r)
	}
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
		for _, uses := range r.uses {
			for _, u := range uses {
				kinds[u.Kind] = nil
			}
		}
	}
	o.mu.Unlock()
	complete := o.mapKinds(kinds)

	o.mu.Lock()
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
		r.followed = r.followed[:0]
		for _, uses := range r.uses {
			for _, u := range uses {
				m := kinds[u.Kind]
				if m == nil {
					continue
				}
				at := place{resource: m.Resource.GroupResource()}
				if cluster.Namespaced(m) && (len(o.opts.Namespaces) > 0 || o.narrow[at.resource]) {
					at.namespace = u.Namespace
				}
				if !slices.Contains(r.followed, at) {
					r.followed = append(r.followed, at)
				}
				if have := out[at]; have == nil || o.prefers(at, m, have) {
					out[at] = m
				}
			}
		}
	}
	return out
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
