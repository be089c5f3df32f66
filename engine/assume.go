package engine

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// assumed are the objects of PlanOptions.Assume: Namespaces and definitions that
// will exist when a plan is applied.
type assumed []*unstructured.Unstructured

func (a assumed) validate(field string) error {
	for i, u := range a {
		if u == nil {
			return invalid(indexed(field, i), "is nil")
		}
		if o := diff.ObjectOf(u); !isNamespace(o) && !isDefinition(u) {
			return invalid(indexed(field, i), "is a %q of group %q; accepted are Namespace of group \"\" and CustomResourceDefinition of group apiextensions.k8s.io", o.Kind, o.Group)
		}
	}
	return nil
}

func isDefinition(u *unstructured.Unstructured) bool {
	return u.GroupVersionKind().GroupKind() == crdKind
}

// kinds are those that the assumed definitions define.
func (a assumed) kinds() broughtKinds {
	objects := make([]render.Object, len(a))
	for i, u := range a {
		objects[i] = render.Object{Unstructured: u}
	}
	return kindsOf(objects...)
}

// definitionOf is the assumed definition of a kind; nil if there is none.
func (a assumed) definitionOf(kind schema.GroupKind) *unstructured.Unstructured {
	for _, u := range a {
		if !isDefinition(u) {
			continue
		}
		if _, ok := kindsDefinedBy(u)[kind]; ok {
			return u
		}
	}
	return nil
}

// namespaces are the names of those that are assumed.
func (a assumed) namespaces() map[string]bool {
	out := map[string]bool{}
	for _, u := range a {
		if isNamespace(diff.ObjectOf(u)) {
			out[u.GetName()] = true
		}
	}
	return out
}
