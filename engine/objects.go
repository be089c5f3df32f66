package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// objects makes the plan's items: what is desired, in order, then what was
// applied by an earlier revision and is no longer wanted; reads their live
// state, and judges each.
func (pl *planning) objects(ctx context.Context, desired, crds []render.Object) ([]*item, *diff.Redactor, error) {
	if pl.e.opts.CRDs == CRDsSkip {
		crds = nil
	}
	own := ownKinds(append(append([]render.Object(nil), crds...), desired...))
	if pl.e.opts.CRDs == CRDsCreate {
		for kind, k := range ownKinds(crds) {
			k.stays = true
			own[kind] = k
		}
	}
	pl.own, pl.set = own, pl.applySet()
	byID := map[diff.Object]*item{}
	var written, removed []*item

	var before *unstructured.Unstructured
	add := func(o render.Object, crd bool) error {
		it, err := pl.newItem(ctx, o.Unstructured, o.Source, own)
		if err != nil {
			return err
		}
		it.crd = crd
		if have := byID[identity(it.object)]; have != nil {
			return &Error{
				Op: "plan", Key: pl.key, Object: it.object, Hint: "an object may be in a release only once",
				Err: fmt.Errorf("rendered twice, by %s and %s", have.source, it.source),
			}
		}
		it.notes = pl.notes[identity(it.object)]
		it.rendered, it.desired = o.Unstructured, pl.applied(o.Unstructured, it, !crd, before)
		before = it.desired
		byID[identity(it.object)] = it
		written = append(written, it)
		return nil
	}
	for _, o := range crds {
		if err := add(o, true); err != nil {
			return nil, nil, err
		}
	}
	for _, o := range inApplyOrder(desired) {
		if err := add(o, false); err != nil {
			return nil, nil, err
		}
	}

	if pl.set.wanted && pl.only == nil {
		if err := add(pl.setParent(pl.scopeOf(written)), false); err != nil {
			return nil, nil, err
		}
		last := len(written) - 1
		written[last].parent = true
		written = append(written[last:], written[:last]...)
	}

	known := documents(desired)
	var scope setScope
	for _, record := range pl.past.base {
		objects, err := parseManifestAfter(record.Manifest.String(), known)
		if err != nil {
			return nil, nil, fmt.Errorf("read the manifest of revision %d: %w", record.Revision, err)
		}
		record.Manifest = record.Manifest.Share(pl.next)
		for _, o := range inApplyOrder(objects) {
			if pl.only != nil && !pl.only[pl.identity(o.Unstructured)] {
				continue
			}
			it, err := pl.newItem(ctx, o.Unstructured, o.Source, own)
			if errors.Is(err, ErrUnknownKind) {
				it, err = pl.itemOfAnotherVersion(ctx, o)
			}
			if errors.Is(err, ErrUnknownKind) {
				pl.outdate(record, o, nil)
				continue // its CRD is gone, and the object with it
			}
			if err != nil {
				return nil, nil, err
			}
			if v := it.object.Version; v != o.GroupVersionKind().Version {
				pl.outdate(record, o, it)
			}
			have := byID[identity(it.object)]
			if have == nil {
				have = it
				byID[identity(it.object)] = it
				removed = append(removed, it)
			}
			have.candidates = append(have.candidates, candidateOf(pl.baseOf(o.Unstructured, have), record))
		}
		if record.ApplySet && pl.only == nil {
			scope = pl.recordedScope(ctx, scope, record, objects)
			o := pl.setParent(scope)
			have := byID[setParentOf(pl.key)]
			if have == nil {
				if have, err = pl.newItem(ctx, o.Unstructured, o.Source, nil); err != nil {
					return nil, nil, err
				}
				have.parent = true
				byID[setParentOf(pl.key)] = have
				removed = append([]*item{have}, removed...) // which is deleted from its end
			}
			have.candidates = append(have.candidates, candidateOf(pl.baseOf(o.Unstructured, have), record))
		}
	}

	items := ordered(written, removed)
	err := together(ctx,
		func(ctx context.Context) error { return pl.readLive(ctx, items) },
		pl.foreseeRights,
	)
	if err != nil {
		return nil, nil, err
	}
	parent, err := pl.joinSet(ctx, items)
	if err != nil {
		return nil, nil, err
	}
	if parent != nil {
		items = append(items, parent)
	}
	for _, it := range items {
		pl.settleBase(it)
	}
	redactor := redactorFor(items, pl.hooks...)
	if pl.told {
		if items, err = pl.asWritten(ctx, items); err != nil {
			return nil, nil, err
		}
	}
	awaitDefinitions(items)
	if err := pl.findNamespaces(ctx, items); err != nil {
		return nil, nil, err
	}
	return items, redactor, pl.judge(ctx, items, redactor)
}

// awaitDefinitions marks the custom resources whose CRD the release brings
// and the cluster lacks: what discovery knows of them is of the past.
func awaitDefinitions(items []*item) {
	missing := map[schema.GroupKind]bool{}
	for _, it := range items {
		if it.desired != nil && it.live == nil && it.mapping.GroupVersionKind.GroupKind() == crdKind {
			for kind := range ownKinds([]render.Object{{Unstructured: it.desired}}) {
				missing[kind] = true
			}
		}
	}
	for _, it := range items {
		if missing[it.mapping.GroupVersionKind.GroupKind()] {
			it.pending = true
		}
	}
}

// findNamespaces notes which namespaces applying will create, and refuses
// objects in namespaces that are missing and stay so.
func (pl *planning) findNamespaces(ctx context.Context, items []*item) error {
	pl.newNamespaces = map[string]bool{}
	if pl.namespaceMissing {
		pl.newNamespaces[pl.key.Namespace] = true
	}
	there := map[string]bool{"": true, pl.key.Namespace: true}
	for _, it := range items {
		if it.live != nil {
			there[it.object.Namespace] = true
		}
		if it.live == nil && it.desired != nil && isNamespace(it.object) {
			pl.newNamespaces[it.object.Name] = true
		}
	}
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, it := range items {
		ns := it.object.Namespace
		if it.desired == nil || !pl.e.allowed(pl.key, it.object) || there[ns] || pl.newNamespaces[ns] {
			continue
		}
		there[ns] = true // or nobody gets any further
		work.do(func(ctx context.Context) error {
			_, err := pl.e.c.typed.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				return pl.namespaceNotFound(it)
			case err != nil && !apierrors.IsForbidden(err):
				return fmt.Errorf("read namespace %s: %w", ns, err)
			}
			return nil
		})
	}
	return work.wait()
}

func (pl *planning) namespaceNotFound(it *item) *Error {
	return &Error{
		Op: "plan", Key: pl.key, Object: it.object, Hint: "create it first, or make it part of the release",
		Err: fmt.Errorf("%w: %s", ErrNamespaceNotFound, it.object.Namespace),
	}
}

func isNamespace(o diff.Object) bool { return o.Group == "" && o.Kind == "Namespace" }

// itemOfAnotherVersion is for what was applied in a version that is no longer
// served: the object is still there, in the versions that are.
func (pl *planning) itemOfAnotherVersion(ctx context.Context, o render.Object) (*item, error) {
	m, err := pl.servedVersion(ctx, o.GroupVersionKind().GroupKind())
	if err != nil {
		return nil, fmt.Errorf("find the resource of %s: %w", diff.ObjectOf(o.Unstructured), err)
	}
	if m == nil {
		return nil, ErrUnknownKind
	}
	u := o.DeepCopy()
	u.SetGroupVersionKind(m.GroupVersionKind)
	return pl.newItem(ctx, u, o.Source, nil)
}

// servedVersion is a kind in the version that the API server prefers; nil if
// it serves none.
func (pl *planning) servedVersion(ctx context.Context, kind schema.GroupKind) (*meta.RESTMapping, error) {
	m, err := pl.e.c.mapper.RESTMappingWithContext(pl.e.c.quiet(ctx), kind)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	return m, err
}

// outdate notes that a revision holds what the API server no longer serves as
// it stands there; it is nil if it does not serve it at all.
func (pl *planning) outdate(record *storage.Record, o render.Object, it *item) {
	what := fmt.Sprintf("revision %d holds %s as %s, which the API server no longer serves", record.Revision, diff.ObjectOf(o.Unstructured), o.GetAPIVersion())
	if it == nil {
		what += "; it is taken to be gone"
	} else {
		what += "; it is read as " + it.mapping.GroupVersionKind.GroupVersion().String()
	}
	pl.outdated = appendNew(pl.outdated, what)
}

// applied is u as it is applied: with the item's namespace and, if it is to be
// the release's, with its marks. Labels and annotations that are those of
// another object are shared with it.
func (pl *planning) applied(u *unstructured.Unstructured, it *item, marked bool, other *unstructured.Unstructured) *unstructured.Unstructured {
	return withMetadata(u, func(metadata map[string]any) {
		if delete(metadata, "namespace"); it.object.Namespace != "" {
			metadata["namespace"] = it.object.Namespace
		}
		if marked {
			mark(metadata, pl.key)
		}
		if other == nil {
			return
		}
		theirs, _ := other.Object["metadata"].(map[string]any)
		for _, field := range []string{"labels", "annotations"} {
			if reflect.DeepEqual(metadata[field], theirs[field]) {
				metadata[field] = theirs[field]
			}
		}
	})
}

// baseOf is an object of an earlier revision as it was applied then: with the
// marks, so that they do not look like a change.
func (pl *planning) baseOf(u *unstructured.Unstructured, it *item) *unstructured.Unstructured {
	if u == it.rendered && !it.crd {
		return &unstructured.Unstructured{Object: it.desired.Object} // as it was rendered again
	}
	return pl.applied(u, it, true, nil)
}

// identity is an object without its version: one object is served in several.
func identity(o diff.Object) diff.Object {
	o.Version = ""
	return o
}

func (pl *planning) newItem(ctx context.Context, u *unstructured.Unstructured, source string, own map[schema.GroupKind]ownKind) (*item, error) {
	gvk := u.GroupVersionKind()
	it := &item{object: diff.ObjectOf(u), source: source}
	m, err := pl.mapping(ctx, gvk)
	if meta.IsNoMatchError(err) {
		kind, ok := own[gvk.GroupKind()]
		if !ok || !kind.versions[gvk.Version] {
			return nil, unknownKind(pl.key, it.object, source)
		}
		if it.readAs, err = pl.servedVersion(ctx, gvk.GroupKind()); err != nil {
			return nil, fmt.Errorf("find the resource of %s: %w", it.object, err)
		}
		if it.readAs != nil && kind.stays {
			e := unknownKind(pl.key, it.object, source)
			e.Hint = "the definition in crds/ has that version, but Options.CRDs leaves the living one as it is: change the option, or upgrade the definition first"
			return nil, e
		}
		it.pending = true
		m = &meta.RESTMapping{Resource: gvk.GroupVersion().WithResource(kind.plural), GroupVersionKind: gvk, Scope: kind.scope}
	} else if err != nil {
		return nil, fmt.Errorf("find the resource of %s: %w", it.object, err)
	}
	it.mapping = m
	if !namespaced(m) {
		it.object.Namespace = ""
	} else if it.object.Namespace == "" {
		it.object.Namespace = pl.key.Namespace
	}
	return it, nil
}

// mapping is the resource of a kind, looked up once for each plan.
func (pl *planning) mapping(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	if m := pl.mappings[gvk]; m != nil {
		return m, nil
	}
	m, err := pl.e.c.mapping(ctx, gvk)
	if err != nil {
		return nil, err
	}
	if pl.mappings == nil {
		pl.mappings = map[schema.GroupVersionKind]*meta.RESTMapping{}
	}
	pl.mappings[gvk] = m
	return m, nil
}

func unknownKind(k Key, o diff.Object, source string) *Error {
	gv := schema.GroupVersion{Group: o.Group, Version: o.Version}
	return &Error{
		Op: "plan", Key: k, Object: o,
		Hint: "check apiVersion and kind, or install the CustomResourceDefinition first",
		Err:  fmt.Errorf("%w: the API server serves no %s %s (from %s)", ErrUnknownKind, gv, o.Kind, source),
	}
}

// ownKind is a kind that a CRD of the release itself will serve.
type ownKind struct {
	plural   string
	scope    meta.RESTScope
	versions map[string]bool
	stays    bool // as it is if it exists: it is of crds/, and Options.CRDs says so
}

func ownKinds(objects []render.Object) map[schema.GroupKind]ownKind {
	kinds := map[schema.GroupKind]ownKind{}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() != crdKind {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		k := ownKind{plural: plural, scope: meta.RESTScopeNamespace, versions: map[string]bool{}}
		if scope == "Cluster" {
			k.scope = meta.RESTScopeRoot
		}
		versions, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
		for _, v := range versions {
			if v, ok := v.(map[string]any); ok {
				name, _ := v["name"].(string)
				k.versions[name] = true
			}
		}
		kinds[schema.GroupKind{Group: group, Kind: kind}] = k
	}
	return kinds
}

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
