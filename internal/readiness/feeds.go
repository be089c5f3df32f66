package readiness

import (
	"cmp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// start opens one feed for each kind and namespace, narrowed to the object
// where there is only one. A look needs none for what was just applied.
func (w *waiter) start() {
	for _, tr := range w.all {
		w.judge(tr)
	}
	type place struct {
		identity
	}
	groups := map[place][]identity{}
	for id := range w.byName {
		at := place{id}
		at.Name = ""
		groups[at] = append(groups[at], id)
	}
	for at, ids := range groups {
		f := &feed{client: w.o.Client, gvr: at.GroupVersionResource, namespace: at.Namespace}
		if len(ids) == 1 {
			f.selector = byName(ids[0].Name)
		}
		if f.version = w.appliedVersion(ids); f.version == "" || !w.once {
			w.open(f)
		}
	}
}

// appliedVersion is the resource version from which a watch shows all changes of
// objects since they were applied; empty: it is not known, and they are listed.
func (w *waiter) appliedVersion(ids []identity) string {
	first := ""
	for _, id := range ids {
		for _, tr := range w.byName[id] {
			if tr.Applied == nil {
				return ""
			}
			version := tr.Applied.GetResourceVersion()
			order, err := resourceversion.CompareResourceVersion(version, cmp.Or(first, version))
			if err != nil {
				return ""
			}
			if first == "" || order < 0 {
				first = version
			}
		}
	}
	return first
}

// narrow replaces a forbidden feed by one for each object: a role may permit
// only objects of certain names. It returns false if the feed was for one object
// already, or the error was another one.
func (w *waiter) narrow(n note) bool {
	if n.feed.selector != "" || !apierrors.IsForbidden(n.fatal) {
		return false
	}
	delete(w.broken, n.feed)
	for id := range w.byName {
		if id.GroupVersionResource == n.feed.gvr && id.Namespace == n.feed.namespace {
			f := *n.feed
			f.selector = byName(id.Name)
			w.open(&f)
		}
	}
	return true
}

func byName(name string) string { return "metadata.name=" + name }

// concerns reports whether a feed includes the object.
func (f *feed) concerns(id identity) bool {
	return id.GroupVersionResource == f.gvr && id.Namespace == f.namespace && (f.selector == "" || f.selector == byName(id.Name))
}

// background runs f beside the waiter, which learns from a note that it has ended.
func (w *waiter) background(f func()) {
	w.running++
	w.group.Go(func() {
		f()
		select {
		case w.notes <- note{ended: true}:
		case <-w.ctx.Done():
		}
	})
}

func (w *waiter) open(f *feed) {
	w.background(func() {
		if w.once {
			f.look(w.ctx, w.notes)
		} else {
			f.run(w.ctx, w.notes)
		}
	})
}
