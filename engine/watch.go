package engine

import (
	"cmp"
	"context"
	"errors"
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
				r.Kinds, r.HasKinds = storage.WatchedKinds(o)
				return r, ok
			},
			Noted: func(r observe.Release, text string) ([]observe.Use, bool) {
				kinds, ok := storage.ParseKinds(text)
				return usesIn(r, kinds), ok
			},
			Uses: e.usesOf,
		},
	}), nil
}

// usesOf reads which kinds a revision has objects of.
func (e *Engine) usesOf(ctx context.Context, r observe.Release, revision int) ([]observe.Use, error) {
	kinds, err := e.store.Kinds(ctx, r.Namespace, r.Name, revision)
	var broken *storage.DecodeError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, observe.ErrGone
	case errors.As(err, &broken):
		return nil, &observe.UnreadableError{Err: err}
	case err != nil:
		return nil, err
	}
	return usesIn(r, kinds), nil
}

// usesIn are kinds as they are watched for a release.
func usesIn(r observe.Release, kinds []storage.Kind) []observe.Use {
	out := make([]observe.Use, len(kinds))
	for i, k := range kinds {
		out[i] = observe.Use{Kind: k.GroupVersionKind, Namespace: cmp.Or(k.Namespace, r.Namespace)}
	}
	return out
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

// watches are those that run as one identity.
type watches struct {
	// lent are those of the engine that As has made this one's from; nil: there is none.
	lent *watches

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

// own returns those of this identity.
func (w *watches) own() []*observe.Observer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.running)
}

// all returns those that are lent too.
func (w *watches) all() []*observe.Observer {
	out := w.own()
	if w.lent != nil {
		out = append(out, w.lent.all()...)
	}
	return out
}
