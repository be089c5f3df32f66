package observe

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"

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

// objects handles the feeds of objects.
type objects struct{ *Observer }

func (o objects) event(f *feed, at name, reason Reason, by author) Event {
	return Event{Reason: reason, Manager: by.manager, Own: by.own, Object: f.object(at)}
}

// author is who has changed an object.
type author struct {
	manager string // empty if that is not known
	own     bool   // it was the engine, and no one else
}

// authorOf is the author of what a watch has sent. It waits until a write of the
// object by this process has ended if that may be what made the change.
func (o objects) authorOf(f *feed, i *item) author {
	o.mu.Lock()
	before := f.records[i.at()]
	o.mu.Unlock()
	c := i.changedBy(before, false)
	if !c.shown && o.opts.Writes.own(o.ctx, f.named(i), i.version) {
		return author{o.opts.Manager, true}
	}
	return o.author(c)
}

// author believes that a change is the engine's own only if the managedFields show
// that: one that is left out must not be of someone else.
func (o objects) author(c change) author {
	switch {
	case c.manager != o.opts.Manager || c.manager == "":
		return author{manager: c.manager}
	case !c.shown:
		return author{}
	}
	return author{c.manager, c.alone}
}

// failed narrows a watch that is forbidden, or reports that objects are not seen.
func (o objects) failed(f *feed, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if apierrors.IsForbidden(err) && f.place.namespace == "" && f.namespaced {
		o.narrow[f.place.resource], o.resolve = true, true
		o.wake()
		return
	}
	f.err = err
	for key, r := range o.releases {
		if slices.Contains(r.followed, f.place) {
			o.reportUnwatched(key, r)
			o.reportFound(key, r)
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
		o.touch(key, Event{Reason: Unwatched, Err: f.err, Object: f.object(name{namespace: at.namespace})})
	}
}

func (o objects) replaced(f *feed, all []*item, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missing := f.missing(all)
	for _, i := range all {
		if first {
			o.keep(f, i)
			continue
		}
		o.set(f, i, o.author(i.changedBy(f.records[i.at()], true)))
	}
	for at, before := range missing {
		delete(f.records, at)
		o.touch(before.release, o.event(f, at, Deleted, author{}))
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
		o.reportFound(key, r)
	}
}

func (o objects) changed(f *feed, i *item) {
	by := o.authorOf(f, i)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set(f, i, by)
}

func (o objects) deleted(f *feed, i *item) {
	var by author
	if i.unmarked {
		by = o.authorOf(f, i)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	before := f.records[i.at()]
	if before == nil {
		return
	}
	delete(f.records, i.at())
	if i.unmarked {
		o.touch(before.release, o.event(f, i.at(), Changed, by))
		return
	}
	o.touch(before.release, o.event(f, i.at(), Deleted, author{}))
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
func (o objects) set(f *feed, i *item, by author) {
	before := f.records[i.at()]
	o.keep(f, i)
	switch {
	case before == nil:
		o.touch(i.release, o.event(f, i.at(), Changed, by))
	case before.version == i.version:
	case before.release != i.release:
		o.touch(before.release, o.event(f, i.at(), Changed, by))
		o.touch(i.release, o.event(f, i.at(), Changed, by))
	default:
		if before.content != i.content || before.uid != i.uid {
			o.touch(i.release, o.event(f, i.at(), Changed, by))
		}
		if before.unready != i.unready {
			reason := Ready
			if i.unready {
				reason = Unready
			}
			o.touch(i.release, o.event(f, i.at(), reason, by))
		}
	}
}
