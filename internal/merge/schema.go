package merge

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// converterOf returns what reads objects of u's version by the server's schema.
// Its error is an [*UndecidedError] about u, or that of ctx.
func (m *Merger) converterOf(ctx context.Context, u *unstructured.Unstructured) (managedfields.TypeConverter, error) {
	converter, err := m.schemas.of(ctx, u.GroupVersionKind().GroupVersion())
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, undecided(u, ErrNoSchema, err)
	}
	if k, ok := converter.(*kinds); converter == nil || ok && k.names[u.GroupVersionKind()] == "" {
		defined, err := m.defined(ctx, u.GroupVersionKind())
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			return nil, undecided(u, ErrNoSchema, err)
		case defined != nil:
			return defined, nil
		}
	}
	if converter == nil {
		return nil, undecided(u, ErrNoSchema, nil)
	}
	return converter, nil
}

// defined is the converter of a custom resource by its definition; nil if there is
// none.
func (m *Merger) defined(ctx context.Context, gvk schema.GroupVersionKind) (managedfields.TypeConverter, error) {
	if m.Define == nil || diff.IsBuiltinGroup(gvk.Group) {
		return nil, nil
	}
	if k := m.schemas.definedAs(gvk, nil); k != nil {
		return k, nil
	}
	openAPI, err := m.Define(ctx, gvk)
	if err != nil || openAPI == nil {
		return nil, err
	}
	core, err := m.schemas.of(ctx, schema.GroupVersion{Version: "v1"}) // which has the schema of metadata
	if err != nil {
		return nil, err
	}
	known, _ := core.(*kinds)
	k, err := known.with(gvk, openAPI)
	if err != nil {
		return nil, err
	}
	return m.schemas.definedAs(gvk, k), nil
}

// Schema returns for diff how the lists and maps of a kind merge by the server's
// schema, including the list keys of custom resources. diff.Builtin is used for
// what the schema does not define. It returns an [*UndecidedError] if there is
// no schema.
func (m *Merger) Schema(ctx context.Context, gvk schema.GroupVersionKind) (diff.Schema, error) {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(gvk)
	converter, err := m.converterOf(ctx, u)
	if err != nil {
		return nil, err
	}
	v, err := converter.ObjectToTyped(u)
	if err != nil {
		return nil, undecided(u, ErrNoSchema, err)
	}
	if v.Schema() == nil {
		return nil, undecided(u, ErrNoSchema, errors.New("the kind has no type"))
	}
	return &kindSchema{gvk: gvk, schema: v.Schema(), root: v.TypeRef(), rest: diff.Builtin()}, nil
}

// kindSchema is the schema of one kind. It is read only.
type kindSchema struct {
	gvk    schema.GroupVersionKind
	schema *smd.Schema
	root   smd.TypeRef
	rest   diff.Schema
}

func (k *kindSchema) Node(o diff.Object, path []string) diff.Node {
	node := k.rest.Node(o, path)
	atom, ok := k.at(path)
	if !ok {
		return node
	}
	switch {
	case atom.List != nil:
		node.Keys, node.Set, node.Defaults = nil, false, nil
		if atom.List.ElementRelationship == smd.Associative {
			node.Keys = slices.Clone(atom.List.Keys)
			node.Set = len(node.Keys) == 0
			node.Defaults = k.defaults(atom.List)
		}
	case atom.Map != nil:
		node.Atomic = atom.Map.ElementRelationship == smd.Atomic
	}
	return node
}

// at returns the type at path; not found if the schema defines no fields there.
func (k *kindSchema) at(path []string) (smd.Atom, bool) {
	ref := k.root
	for _, name := range path {
		atom, ok := k.schema.Resolve(ref)
		if !ok {
			return smd.Atom{}, false
		}
		switch {
		case name == "[]" && atom.List != nil:
			ref = atom.List.ElementType
		case name != "[]" && atom.Map != nil:
			if f, ok := atom.Map.FindField(name); ok {
				ref = f.Type
			} else {
				ref = atom.Map.ElementType
			}
		default:
			return smd.Atom{}, false
		}
	}
	atom, ok := k.schema.Resolve(ref)
	// An untyped part of a schema is a map and a list and a scalar at once.
	if !ok || atom.Map != nil && atom.List != nil {
		return smd.Atom{}, false
	}
	return atom, ok
}

func (k *kindSchema) defaults(l *smd.List) map[string]any {
	item, ok := k.schema.Resolve(l.ElementType)
	if !ok || item.Map == nil {
		return nil
	}
	var out map[string]any
	for _, key := range l.Keys {
		if f, ok := item.Map.FindField(key); ok && f.Default != nil {
			if out == nil {
				out = map[string]any{}
			}
			out[key] = f.Default
		}
	}
	return out
}
