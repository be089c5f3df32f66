package engine

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/render"
)

// target is an object and the resource that serves it.
type target struct {
	id      diff.Object
	mapping *meta.RESTMapping
}

func (t target) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: t.id.Group, Kind: t.id.Kind}
}

func (t target) isDefinition() bool { return t.groupKind() == crdKind }

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

var definitionsGVR = schema.GroupVersionResource{Group: crdKind.Group, Version: "v1", Resource: "customresourcedefinitions"}

func isNamespace(o diff.Object) bool { return o.Group == "" && o.Kind == "Namespace" }

func isClaim(o diff.Object) bool { return o.Group == "" && o.Kind == "PersistentVolumeClaim" }

// identity is an object without its version: one object is served in several.
func identity(o diff.Object) diff.Object {
	o.Version = ""
	return o
}

// identityIn is the identity of an object of a manifest, which may leave out
// the release's own namespace.
func identityIn(k Key, u *unstructured.Unstructured) diff.Object {
	o := identity(diff.ObjectOf(u))
	if o.Namespace == "" {
		o.Namespace = k.Namespace
	}
	return o
}

// locator finds the resources that serve the objects of one release. It is
// for one goroutine.
type locator struct {
	cluster *cluster.Cluster
	key     Key
	brings  broughtKinds // by the release's own CRDs; nil: none
	// asOf is when the locator was made: kinds that are new since discovery was
	// last read are found by reading it again, once.
	asOf  time.Time
	known map[schema.GroupVersionKind]*meta.RESTMapping
}

// location is where an object is served, now or once the release's CRDs are
// applied.
type location struct {
	target
	// readAs is a version in which the object can be read, if its own one is
	// served only once a CRD of this release has changed; nil: its own.
	readAs *meta.RESTMapping
	// pending is set if the kind, or its version, is served only once a CRD of
	// this release is applied.
	pending bool
}

func (e *Engine) locator(k Key, brings broughtKinds) *locator {
	return &locator{e.cluster, k, brings, time.Now(), map[schema.GroupVersionKind]*meta.RESTMapping{}}
}

// target locates an object of a release that brings no kinds of its own. It
// fails with ErrUnknownKind if the API server does not serve the kind, and with
// ErrUnavailable if that cannot be known.
func (e *Engine) target(ctx context.Context, k Key, u *unstructured.Unstructured, source string) (target, error) {
	at, err := e.locator(k, nil).locate(ctx, u, source)
	return at.target, err
}

func (l *locator) locate(ctx context.Context, u *unstructured.Unstructured, source string) (location, error) {
	gvk := u.GroupVersionKind()
	at := location{target: target{id: diff.ObjectOf(u)}}
	m, err := l.mapping(ctx, gvk)
	switch {
	case meta.IsNoMatchError(err):
		kind, ok := l.brings[gvk.GroupKind()]
		if !ok || !kind.versions[gvk.Version] {
			return location{}, unknownKind(l.key, at.id, source)
		}
		if at.readAs, err = l.cluster.ServedVersion(ctx, gvk.GroupKind()); err != nil {
			return location{}, explain("plan", l.key, at.id, fmt.Errorf("find its resource: %w", err))
		}
		if at.readAs != nil && kind.unchanged {
			e := unknownKind(l.key, at.id, source)
			e.Hint = "the definition in crds/ has that version, but Options.CRDs leaves the live one as it is: change the option, or upgrade the definition first"
			return location{}, e
		}
		at.pending = true
		m = &meta.RESTMapping{Resource: gvk.GroupVersion().WithResource(kind.plural), GroupVersionKind: gvk, Scope: kind.scope}
	case err != nil:
		return location{}, explain("plan", l.key, at.id, fmt.Errorf("find its resource: %w", err))
	}
	at.mapping = m
	if !cluster.Namespaced(m) {
		at.id.Namespace = ""
	} else if at.id.Namespace == "" {
		at.id.Namespace = l.key.Namespace
	}
	return at, nil
}

// mapping is the resource of a kind, looked up once for each locator.
func (l *locator) mapping(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	if m := l.known[gvk]; m != nil {
		return m, nil
	}
	m, err := l.cluster.Mapping(ctx, gvk, l.asOf)
	if err != nil {
		return nil, err
	}
	l.known[gvk] = m
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

func namespaceNotFound(k Key, o diff.Object) *Error {
	return &Error{
		Op: "plan", Key: k, Object: o, Hint: "create it first, or make it part of the release",
		Err: fmt.Errorf("%w: %s", ErrNamespaceNotFound, o.Namespace),
	}
}

// broughtKinds are the kinds that the release's own CRDs define.
type broughtKinds map[schema.GroupKind]broughtKind

type broughtKind struct {
	plural    string
	scope     meta.RESTScope
	versions  map[string]bool
	schemas   map[string]map[string]any // by version, as far as they have one
	unchanged bool                      // the CRD is in crds/, and Options.CRDs leaves a live one as it is
}

func kindsOf(objects ...render.Object) broughtKinds {
	kinds := broughtKinds{}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() != crdKind {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		k := broughtKind{plural: plural, scope: meta.RESTScopeNamespace, versions: map[string]bool{}, schemas: map[string]map[string]any{}}
		if scope == "Cluster" {
			k.scope = meta.RESTScopeRoot
		}
		field, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "versions")
		versions, _ := field.([]any)
		for _, v := range versions {
			if v, ok := v.(map[string]any); ok {
				name, _ := v["name"].(string)
				k.versions[name] = true
				field, _, _ := unstructured.NestedFieldNoCopy(v, "schema", "openAPIV3Schema")
				if s, ok := field.(map[string]any); ok {
					k.schemas[name] = s
				}
			}
		}
		kinds[schema.GroupKind{Group: group, Kind: kind}] = k
	}
	return kinds
}

// kindsDefinedBy are the kinds that one CRD defines.
func kindsDefinedBy(crd *unstructured.Unstructured) broughtKinds {
	return kindsOf(render.Object{Unstructured: crd})
}
