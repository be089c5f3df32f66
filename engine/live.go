package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/internal/jsonstream"
)

const (
	// listFrom is the number of objects of one kind in one namespace from
	// which a LIST is asked for instead of as many GETs: one request instead
	// of several, at the price of what else is in the namespace.
	listFrom = 4
	// listPage bounds one page of a LIST: it is in memory as a whole, and costs
	// a round trip. Somewhat above a round number, because a namespace has some
	// objects of its own beside those of a release.
	listPage = 512
)

// readLive fills in the live state of all items, by as few requests as
// possible.
func (pl *planning) readLive(ctx context.Context, items []*item) error {
	type group struct {
		resource  schema.GroupVersionResource
		namespace string
	}
	groups := map[group][]*item{}
	var order []group
	for _, it := range items {
		if it.mapping == nil || !pl.e.allowed(pl.key, it.object) {
			continue
		}
		// A kind that is not known may be served all the same: what the server
		// tells of its kinds lags behind.
		if it.object.Namespace == pl.key.Namespace && pl.namespaceMissing && namespaced(it.mapping) {
			continue // cannot exist yet
		}
		g := group{it.reading().Resource, it.object.Namespace}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], it)
	}
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, g := range order {
		members := groups[g]
		if len(members) < listFrom {
			for _, it := range members {
				work.do(func(ctx context.Context) error { return pl.get(ctx, it) })
			}
			continue
		}
		work.do(func(ctx context.Context) error { return pl.list(ctx, members) })
	}
	if err := work.wait(); err != nil {
		return err
	}
	return pl.unreadable(items)
}

// unreadable is an error that names all rights to read that were missing, or
// nil.
func (pl *planning) unreadable(items []*item) error {
	var err error
	var rights []string
	for _, it := range items {
		if it.unread != nil {
			err = it.unread
			rights = appendNew(rights, rightTo("get", it).String())
		}
	}
	if err == nil {
		return nil
	}
	slices.Sort(rights)
	return &Error{
		Op: "read", Key: pl.key, Hint: "ask for these rights: " + strings.Join(rights, ", "),
		Err: &classified{ErrForbidden, err},
	}
}

func (pl *planning) get(ctx context.Context, it *item) error {
	ctx, warned := withWarnings(ctx)
	defer func() { it.outmoded = warned.texts }()
	u, err := pl.e.c.resource(it.reading(), it.object.Namespace).Get(ctx, it.object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if apierrors.IsForbidden(err) {
		it.unread = err
		return nil
	}
	if err != nil {
		return explain("read", pl.key, it.object, err)
	}
	it.live = typed(u, it)
	return nil
}

// list reads all objects of one kind in one namespace and keeps those of the
// plan. Without the right to list it falls back on reading one by one.
func (pl *planning) list(ctx context.Context, members []*item) error {
	byName := make(map[string]*item, len(members))
	for _, it := range members {
		byName[it.object.Name] = it
	}
	next := ""
	ctx, warned := withWarnings(ctx)
	defer func() {
		for _, it := range members {
			if it.outmoded == nil {
				it.outmoded = warned.texts
			}
		}
	}()
	var shared jsonstream.Sharing
	var before any
	take := func(text []byte) error {
		it := byName[jsonstream.Text(text, "metadata", "name")]
		if it == nil {
			return nil
		}
		// Most is as it shall be, and what the API server adds is much the same
		// for all.
		var wanted any
		if it.desired != nil {
			wanted = it.desired.Object
		}
		v, err := shared.Decode(text, wanted, before)
		if err != nil {
			return err
		}
		object, _ := v.(map[string]any)
		it.live, before = typed(&unstructured.Unstructured{Object: object}, it), object
		return nil
	}
	for {
		more, err := pl.e.c.list(ctx, members[0].reading(), members[0].object.Namespace, next, take)
		switch {
		case apierrors.IsForbidden(err):
			for _, it := range members {
				if err := pl.get(ctx, it); err != nil {
					return err
				}
			}
			return nil
		case apierrors.IsNotFound(err):
			return nil // the kind is served no longer, and the objects went with it
		case apierrors.IsResourceExpired(err) && next != "":
			next = "" // the pages so far are too old to go on from
			continue
		case err != nil:
			return fmt.Errorf("list %s: %w", members[0].mapping.Resource.Resource, err)
		}
		if next = more; next == "" {
			return nil
		}
	}
}

// list reads a page of the objects of one kind in one namespace, and hands over
// the JSON of each, good until the next. More are behind next, if that is not
// empty.
func (c *cluster) list(ctx context.Context, m *meta.RESTMapping, namespace, from string, each func([]byte) error) (next string, err error) {
	r := on(c.typed.Discovery().RESTClient().Get(), m, namespace).Param("limit", strconv.Itoa(listPage))
	if from != "" {
		r.Param("continue", from)
	}
	body, err := r.Stream(c.quiet(ctx))
	if err != nil {
		return "", err
	}
	defer body.Close()
	var of metav1.ListMeta
	d := json.NewDecoder(body)
	var text json.RawMessage
	err = jsonstream.Object(d, func(member string) error {
		switch member {
		case "metadata":
			return d.Decode(&of)
		case "items":
			return jsonstream.Array(d, func() error {
				if err := d.Decode(&text); err != nil {
					return err
				}
				return each(text)
			})
		}
		return jsonstream.Skip(d)
	})
	if err != nil {
		return "", fmt.Errorf("decode the answer: %w", err)
	}
	return of.Continue, nil
}

// typed gives a list's item the apiVersion and kind that some servers leave
// out there, and what was read in another version its own.
func typed(u *unstructured.Unstructured, it *item) *unstructured.Unstructured {
	if u.GetKind() == "" || it.readAs != nil {
		u.SetGroupVersionKind(it.mapping.GroupVersionKind)
	}
	return u
}
