package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// WatchOptions select what is watched. The zero value selects all releases of the
// cluster, and leaves out what the engine does itself.
type WatchOptions struct {
	// Namespaces of the releases. With it, namespaced kinds are watched by
	// namespace: those of the releases, and those in which they have objects.
	// Empty: all of the cluster.
	Namespaces []string
	// Selector selects releases by the labels of their newest revision, in the
	// notation of kubectl get -l. Empty: all.
	Selector string
	// Own returns the engine's own changes as well; see Touch.Own. False: they are
	// left out, so that a release is not reconciled because it was reconciled.
	Own bool
}

func (o WatchOptions) validate() error {
	for i, namespace := range o.Namespaces {
		if why := validation.IsDNS1123Label(namespace); len(why) > 0 {
			return invalid(indexed("WatchOptions.Namespaces", i), "is %q: %s", namespace, why[0])
		}
	}
	return nil
}

// Watch returns the releases that are touched, as they are: an object of one was
// changed or deleted, or has become ready or unready; its history has changed; the
// definition of a kind that it uses has. Each existing release comes once at the
// beginning. So the body of a controller is
//
//	for t, err := range eng.Watch(ctx, engine.WatchOptions{}) {
//		if err != nil {
//			return err
//		}
//		queue.Add(t.Key)
//	}
//
// However slow the loop is, nothing is missed: what happens to a release meanwhile
// comes as one Touched. Connections that break are taken up again, and what has
// happened in between is found; kinds that cannot be watched are reported by
// TouchUnwatched. The loop ends with ctx, without an error, or with the one error
// that it returns last: invalid options, or permissions that are missing to list
// revisions at all. When the loop has ended, nothing of it runs on.
//
// Objects are watched by Helm's label, one watch for each kind that a release
// uses; of objects only what docs/controllers.md says is kept. It needs the
// permissions to list and watch these kinds, the revisions, and
// CustomResourceDefinitions and APIServices, in the cluster or in all of
// opts.Namespaces.
//
// Options.Storage must keep the revisions in the engine's own cluster.
func (e *Engine) Watch(ctx context.Context, opts WatchOptions) iter.Seq2[Touched, error] {
	return func(yield func(Touched, error) bool) {
		o, err := e.observe(ctx, opts)
		if err != nil {
			yield(Touched{}, refused("watch", Key{}, err))
			return
		}
		defer o.Stop()
		defer e.watches.add(o)()
		for {
			r, events, more, ok, err := o.Next(ctx)
			if err != nil {
				yield(Touched{}, watchError(err))
				return
			}
			if !ok || ctx.Err() != nil || !yield(touched(r, events, more), nil) {
				return
			}
		}
	}
}

// observe starts an observer.
func (e *Engine) observe(ctx context.Context, opts WatchOptions) (*observe.Observer, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	selector, err := releaseSelector("WatchOptions.Selector", opts.Selector)
	if err != nil {
		return nil, err
	}
	if e.opts.Storage.elsewhere() {
		return nil, invalid("Options.Storage", "keeps revisions outside of the engine's cluster; accepted for Watch are Secrets and ConfigMaps of the cluster")
	}
	return observe.Start(ctx, observe.Options{
		Cluster: e.cluster, Rules: e.rules, Namespaces: opts.Namespaces, Manager: e.opts.FieldManager, Own: opts.Own, Writes: e.writes,
		Histories: observe.Histories{
			Resource:  schema.GroupVersionResource{Version: "v1", Resource: e.opts.Storage.resource()},
			Selector:  storage.WatchSelector,
			Namespace: e.opts.Storage.Namespace,
			Revision: func(o metav1.ObjectMeta) (observe.Revision, bool) {
				m, ok := storage.WatchedMeta(o)
				r := observe.Revision{
					Release: observe.Release{Namespace: m.Namespace, Name: m.Name}, Number: m.Revision,
					Status: string(m.Status), Matches: selector.Matches(labels.Set(m.Labels)),
				}
				r.Holder, r.Mark, r.Content = storage.WatchedMark(o)
				return r, ok
			},
			Uses: e.usesOf,
		},
	}), nil
}

// manyRevisions is the number of revisions from which pages of all of them are
// read instead of each one.
const manyRevisions = 8

// usesOf reads which kinds revisions have objects of.
func (e *Engine) usesOf(ctx context.Context, wanted map[observe.Release][]int, each func(observe.Release, int, []observe.Use, error)) error {
	hand := func(m storage.Meta, r *storage.Record, broken *storage.DecodeError) {
		release := observe.Release{Namespace: m.Namespace, Name: m.Name}
		if broken != nil {
			each(release, m.Revision, nil, broken)
			return
		}
		uses, err := kindsUsedBy(r)
		each(release, m.Revision, uses, err)
	}
	listed := map[int]storage.Meta{}
	if len(wanted) >= manyRevisions {
		for release, numbers := range wanted {
			for _, n := range numbers {
				listed[len(listed)] = storage.Meta{Namespace: release.Namespace, Name: release.Name, Revision: n}
			}
		}
		namespace := commonNamespace(wanted)
		err := e.store.Bodies(ctx, namespace, true, listed, func(i int, r *storage.Record, broken *storage.DecodeError) {
			hand(listed[i], r, broken)
		})
		return err
	}
	for release, numbers := range wanted {
		for _, n := range numbers {
			r, err := e.store.Get(ctx, release.Namespace, release.Name, n)
			var broken *storage.DecodeError
			if errors.Is(err, storage.ErrNotFound) {
				continue
			}
			if err != nil && !errors.As(err, &broken) {
				return err
			}
			hand(storage.Meta{Namespace: release.Namespace, Name: release.Name, Revision: n}, r, broken)
		}
	}
	return nil
}

// commonNamespace is that of all releases; empty if they have several.
func commonNamespace(releases map[observe.Release][]int) string {
	out, first := "", true
	for r := range releases {
		if first {
			out, first = r.Namespace, false
		}
		if r.Namespace != out {
			return ""
		}
	}
	return out
}

// kindsUsedBy are the kinds of the objects of a revision.
func kindsUsedBy(r *storage.Record) ([]observe.Use, error) {
	manifest, err := parseManifest(r.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", r.Revision, err)
	}
	var out []observe.Use
	seen := map[observe.Use]bool{}
	for _, o := range manifest {
		u := observe.Use{Kind: o.GroupVersionKind(), Namespace: o.GetNamespace()}
		if u.Namespace == "" {
			u.Namespace = r.Namespace
		}
		if !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out, nil
}

// watchError explains the error that ends a watch.
func watchError(err error) error {
	var h *observe.HistoryError
	if !errors.As(err, &h) {
		return explain("watch", Key{}, diff.Object{}, err)
	}
	hint := "grant the permissions list and watch on " + h.Resource
	if h.Namespace == "" {
		hint += " in the cluster, or set WatchOptions.Namespaces"
	} else {
		hint += " in namespace " + h.Namespace
	}
	return &Error{Op: "watch", Hint: hint, Err: &classified{ErrForbidden, err}}
}

// watches are those that run.
type watches struct {
	mu      sync.Mutex
	running []*observe.Observer
}

// add adds one, which end removes.
func (w *watches) add(o *observe.Observer) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = append(w.running, o)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running = slices.DeleteFunc(w.running, func(have *observe.Observer) bool { return have == o })
	}
}

// all returns them.
func (w *watches) all() []*observe.Observer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.running)
}
