package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/jsonstream"
)

// listFrom is the number of objects of one kind in one namespace from which a
// LIST is sent instead of as many GETs: one request instead of several, but it
// also returns unrelated objects.
const listFrom = 4

// readLive reads the live objects, by as few requests as possible, and beside
// them the permissions that will be looked into anyway.
func (r *reader) readLive(ctx context.Context) error {
	return parallel.All(ctx,
		func(ctx context.Context) error { return r.liveReader().read(ctx, r.objects) },
		func(ctx context.Context) (err error) {
			if r.recordsAnyway && !(r.asking.purpose != forReview && r.e.cluster.KnowsRules(r.key.Namespace)) {
				r.rules, err = r.e.rulesIn(ctx, r.key.Namespace)
			}
			return err
		},
	)
}

func (r *reader) get(ctx context.Context, o *object) error { return r.liveReader().get(ctx, o) }

func (r *reader) liveReader() liveReader {
	return liveReader{r.e, r.key, r.namespace.missing, r.expectsNone, &atomic.Bool{}, r.history.early}
}

// liveReader fills in the live state of objects that are being collected.
type liveReader struct {
	e                *Engine
	key              Key
	namespaceMissing bool // nothing can exist in the release's own namespace
	// expectsNone are the objects that probably do not exist; nil: none.
	expectsNone func(*object) bool
	refused     *atomic.Bool // a dry-run was, so that no other one is tried
	early       early        // what was read already
}

// read fails with ErrForbidden, naming all permissions that are missing, if
// objects may not be read.
func (l liveReader) read(ctx context.Context, objects []*object) error {
	if err := l.fetch(cluster.Accounted(ctx), objects); err != nil {
		return err
	}
	inputsOf(ctx).addObjects(objects)
	return l.unreadable(objects)
}

// fetch is read without the account of it, and without an error for what may not
// be read.
func (l liveReader) fetch(ctx context.Context, objects []*object) error {
	type group struct {
		resource  schema.GroupVersionResource
		namespace string
	}
	groups := map[group][]*object{}
	var order []group
	for _, o := range objects {
		// An unknown kind may be served all the same: discovery lags behind.
		if o.mapping == nil || l.e.blocked(l.key, o.id, o.desired) != nil ||
			l.namespaceMissing && o.id.Namespace == l.key.Namespace && cluster.Namespaced(o.mapping) {
			continue
		}
		if at := l.early.of(o); at != nil {
			o.live, o.readWarnings = at.live, at.readWarnings
			continue
		}
		g := group{o.reading().Resource, o.id.Namespace}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], o)
	}
	var probes []probe
	work := parallel.New(ctx, l.e.opts.Concurrency)
	for _, g := range order {
		members := groups[g]
		expected, others := l.expectedAbsent(members)
		switch {
		case len(members) < listFrom:
			l.each(work, l.askOrGet, expected)
			l.each(work, l.get, others)
		case len(expected) > 0 && len(others) < listFrom:
			probes = append(probes, probe{expected, others})
			work.Do(func(ctx context.Context) error { l.absent(ctx, expected[0]); return nil })
		default:
			work.Do(func(ctx context.Context) error { return l.list(ctx, members) })
		}
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return l.readProbed(ctx, probes)
}

func (l liveReader) each(work *parallel.Group, read func(context.Context, *object) error, objects []*object) {
	for _, o := range objects {
		work.Do(func(ctx context.Context) error { return read(ctx, o) })
	}
}

// unreadable is an error that names all permissions to read that were missing;
// nil: none was.
func (l liveReader) unreadable(objects []*object) error {
	var err error
	var missing []string
	for _, o := range objects {
		if o.unread != nil {
			err = o.unread
			missing = appendNew(missing, permissionTo("get", o.target).String())
		}
	}
	if err == nil {
		return nil
	}
	slices.Sort(missing)
	return &Error{
		Op: "read", Key: l.key, Hint: "grant these permissions: " + strings.Join(missing, ", "),
		Err: &classified{ErrForbidden, err},
	}
}

func (l liveReader) get(ctx context.Context, o *object) error {
	ctx, warned := cluster.WithWarnings(ctx)
	u, err := l.e.cluster.Resource(o.reading(), o.id.Namespace).Get(ctx, o.id.Name, metav1.GetOptions{})
	o.readWarnings = warned.Texts()
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err):
		o.unread = err
		return nil
	case err != nil:
		return explain("read", l.key, o.id, err)
	}
	o.live = typed(u, o)
	return nil
}

// list reads all objects of one kind in one namespace and keeps the members.
// Without the permission to list it reads them one by one.
func (l liveReader) list(ctx context.Context, members []*object) error {
	byName := make(map[string]*object, len(members))
	for _, o := range members {
		byName[o.id.Name] = o
	}
	ctx, warned := cluster.WithWarnings(ctx)
	defer func() {
		for _, o := range members {
			if o.readWarnings == nil {
				o.readWarnings = warned.Texts()
			}
		}
	}()
	var shared jsonstream.Sharing
	var before any
	take := func(text []byte) error {
		o := byName[jsonstream.Text(text, "metadata", "name")]
		if o == nil {
			return nil
		}
		// Most fields are as desired, and what the API server adds is much the
		// same in all objects: what is equal is kept once.
		var desired any
		if o.desired != nil {
			desired = o.desired.Object
		}
		v, err := shared.Decode(text, desired, before)
		if err != nil {
			return err
		}
		object, _ := v.(map[string]any)
		o.live, before = typed(&unstructured.Unstructured{Object: object}, o), object
		return nil
	}
	for next := ""; ; {
		more, err := l.e.cluster.List(ctx, members[0].reading(), members[0].id.Namespace, next, take)
		switch {
		case apierrors.IsForbidden(err):
			for _, o := range members {
				if err := l.get(ctx, o); err != nil {
					return err
				}
			}
			return nil
		case apierrors.IsNotFound(err):
			return nil // the kind is no longer served, and its objects are gone
		case apierrors.IsResourceExpired(err) && next != "":
			next = "" // the pages so far are too old to continue from
			continue
		case err != nil:
			return explain("read", l.key, members[0].id, fmt.Errorf("list %s: %w", members[0].mapping.Resource.Resource, err))
		}
		if next = more; next == "" {
			return nil
		}
	}
}

// typed sets the apiVersion and kind, which some servers leave out of the items
// of a list, and which differ in an object that was read in another version.
func typed(u *unstructured.Unstructured, o *object) *unstructured.Unstructured {
	if u.GetKind() == "" || o.readAs != nil {
		u.SetGroupVersionKind(o.mapping.GroupVersionKind)
	}
	return u
}
