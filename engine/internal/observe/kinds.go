package observe

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// managedBy is the label of all objects that Helm, and so the engine, writes.
const (
	managedBy   = "app.kubernetes.io/managed-by"
	managedHelm = "Helm"
)

// objectSource reads the objects of releases of one kind.
type objectSource struct {
	cluster   *cluster.Cluster
	mapping   *meta.RESTMapping
	namespace string
	reducer   *reducer
}

func (s *objectSource) list(ctx context.Context, from string, each func(*item)) (metav1.ListMeta, error) {
	return s.cluster.ListLabelled(ctx, s.mapping, s.namespace, managedBy+"="+managedHelm, from, func(text []byte) error {
		u := &unstructured.Unstructured{}
		if err := json.Unmarshal(text, &u.Object); err != nil {
			return fmt.Errorf("decode the response: %w", err)
		}
		if i := s.reduce(u); i != nil {
			each(i)
		}
		return nil
	})
}

func (s *objectSource) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.LabelSelector = managedBy + "=" + managedHelm
	return s.cluster.Resource(s.mapping, s.namespace).Watch(ctx, opts)
}

func (s *objectSource) reduce(o runtime.Object) *item {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	if u.GetKind() == "" {
		u.SetGroupVersionKind(s.mapping.GroupVersionKind) // some servers leave it out of lists
	}
	i := s.reducer.object(u)
	i.unmarked = u.GetLabels()[managedBy] != managedHelm
	return i
}

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

// followKinds starts the feeds of kinds that are used, and stops those of others.
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
		if wanted[at] == nil {
			stopped = append(stopped, f)
			delete(o.feeds, at)
		}
	}
	for at, m := range wanted {
		if o.feeds[at] == nil {
			f := &feed{
				place: at, handler: objects{o, m.GroupVersionKind}, records: map[name]*record{},
				source: &objectSource{o.opts.Cluster, m, at.namespace, &o.reducer},
			}
			o.feeds[at] = f
			started = append(started, f)
		}
	}
	for key, r := range o.releases {
		o.reportUnwatched(key, r)
		o.settleFound(key, r)
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
				// Of several versions the same one each time.
				if have := out[at]; have == nil || have.GroupVersionKind.Version < m.GroupVersionKind.Version {
					out[at] = m
				}
			}
		}
	}
	return out
}

// settleFound hands out a release once all of its objects are seen, or cannot be.
// The caller has locked.
func (o *Observer) settleFound(key Release, r *release) {
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

// objects handles the feed of a kind.
type objects struct {
	*Observer
	kind schema.GroupVersionKind
}

func (o objects) event(at name, reason Reason, manager string) Event {
	return Event{
		Reason: reason, Manager: manager, Own: manager != "" && manager == o.opts.Manager,
		Object: diff.Object{Group: o.kind.Group, Version: o.kind.Version, Kind: o.kind.Kind, Namespace: at.namespace, Name: at.name},
	}
}

// failed narrows a watch that is forbidden, or reports that objects are not seen.
func (o objects) failed(f *feed, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if apierrors.IsForbidden(err) && f.place.namespace == "" && o.namespaced(f) {
		o.narrow[f.place.resource], o.resolve = true, true
		o.wake()
		return
	}
	f.err = err
	for key, r := range o.releases {
		if slices.Contains(r.followed, f.place) {
			o.reportUnwatched(key, r)
			o.settleFound(key, r)
		}
	}
}

// reportUnwatched reports to a release, once, which of its objects are not seen. The
// caller has locked.
func (o *Observer) reportUnwatched(key Release, r *release) {
	r.reported = slices.DeleteFunc(r.reported, func(at place) bool {
		f := o.feeds[at]
		return f == nil || f.err == nil || !slices.Contains(r.followed, at)
	})
	for _, at := range r.followed {
		f := o.feeds[at]
		if f == nil || f.err == nil || slices.Contains(r.reported, at) {
			continue
		}
		r.reported = append(r.reported, at)
		e := Event{Reason: Unwatched, Err: f.err, Object: diff.Object{Group: at.resource.Group, Namespace: at.namespace}}
		if h, ok := f.handler.(objects); ok {
			e.Object.Version, e.Object.Kind = h.kind.Version, h.kind.Kind
		}
		o.touch(key, e)
	}
}

func (o objects) namespaced(f *feed) bool {
	s, ok := f.source.(*objectSource)
	return ok && cluster.Namespaced(s.mapping)
}

func (o objects) replaced(f *feed, all []*item, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	present := make(map[name]bool, len(all))
	for _, i := range all {
		present[i.at()] = true
		if first {
			o.keep(f, i)
			continue
		}
		o.set(f, i)
	}
	for at, before := range f.records {
		if !present[at] {
			delete(f.records, at)
			o.touch(before.release, o.event(at, Deleted, ""))
		}
	}
	f.known, f.err = true, nil
	if !first {
		return
	}
	for key, r := range o.releases {
		if !slices.Contains(r.followed, f.place) {
			continue
		}
		if r.found { // what has happened before this was not seen
			o.touch(key, Event{Reason: Found})
		}
		o.settleFound(key, r)
	}
}

func (o objects) changed(f *feed, i *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set(f, i)
}

func (o objects) deleted(f *feed, i *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := f.records[i.at()]
	if before == nil {
		return
	}
	delete(f.records, i.at())
	if i.unmarked {
		o.touch(before.release, o.event(i.at(), Changed, i.changedBy(before)))
		return
	}
	o.touch(before.release, o.event(i.at(), Deleted, ""))
}

// keep notes an object of a release; one that belongs to none is forgotten. The
// caller has locked.
func (o objects) keep(f *feed, i *item) {
	if i.release.Name == "" {
		delete(f.records, i.at())
		return
	}
	kept, at := i.record, i.at()
	if r := o.releases[kept.release]; r != nil {
		kept.release = r.key // whose strings all objects of the release share
		if at.namespace == r.key.Namespace {
			at.namespace = r.key.Namespace
		}
	}
	f.records[at] = &kept
}

// set notes an object, and what has become of it. The caller has locked.
func (o objects) set(f *feed, i *item) {
	before := f.records[i.at()]
	o.keep(f, i)
	manager := i.changedBy(before)
	switch {
	case before == nil:
		o.touch(i.release, o.event(i.at(), Changed, manager))
	case before.version == i.version:
	case before.release != i.release:
		o.touch(before.release, o.event(i.at(), Changed, manager))
		o.touch(i.release, o.event(i.at(), Changed, manager))
	default:
		if before.content != i.content || before.uid != i.uid {
			o.touch(i.release, o.event(i.at(), Changed, manager))
		}
		if before.unready != i.unready {
			reason := Ready
			if i.unready {
				reason = Unready
			}
			o.touch(i.release, o.event(i.at(), reason, manager))
		}
	}
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
