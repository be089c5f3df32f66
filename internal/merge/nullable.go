package merge

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"

	"github.com/fairlead-dev/fairlead/diff"
)

// Nullable is a part of an OpenAPI schema, as far as it says where null is a
// value of its own. Everywhere else null means absent. Nil: nowhere is it a
// value.
type Nullable struct{ schema map[string]any }

// NullableOf is the Nullable of a schema, such as that of a version of a
// CustomResourceDefinition. The schema is not changed.
func NullableOf(openAPI map[string]any) *Nullable {
	if openAPI == nil {
		return nil
	}
	return &Nullable{openAPI}
}

// Allowed reports whether null is a value here.
func (n *Nullable) Allowed() bool { return n != nil && n.schema["nullable"] == true }

// Field is the part for a field of a mapping; nil if the schema does not define
// it.
func (n *Nullable) Field(name string) *Nullable {
	if n == nil {
		return nil
	}
	properties, _ := n.schema["properties"].(map[string]any)
	if field, ok := properties[name].(map[string]any); ok {
		return NullableOf(field)
	}
	more, _ := n.schema["additionalProperties"].(map[string]any)
	return NullableOf(more)
}

// Item is the part for the items of a list; nil if the schema does not define
// them.
func (n *Nullable) Item() *Nullable {
	if n == nil {
		return nil
	}
	items, _ := n.schema["items"].(map[string]any)
	return NullableOf(items)
}

// Nullable returns where null is a value in objects of a kind, by the server's
// schema; nil if it is nowhere. It returns an [*UndecidedError] if there is none.
func (m *Merger) Nullable(ctx context.Context, gvk schema.GroupVersionKind) (*Nullable, error) {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(gvk)
	converter, err := m.converterOf(ctx, u)
	if err != nil {
		return nil, err
	}
	if k, ok := converter.(*kinds); ok && k.names[gvk] == "" {
		return nil, undecided(u, ErrNoSchema, errors.New("the kind has no type"))
	}
	return nullableIn(converter, gvk), nil
}

// nullableIn is where null is a value in objects of a kind; nil: nowhere, as in
// all built-in kinds.
func nullableIn(converter managedfields.TypeConverter, gvk schema.GroupVersionKind) *Nullable {
	k, ok := converter.(*kinds)
	if !ok || diff.IsBuiltinGroup(gvk.Group) {
		return nil
	}
	return k.nullable(gvk)
}
