package diff

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Object is the identity of a Kubernetes object. It is comparable, so that it
// can be a map key.
type Object struct {
	// Group is the API group, empty for the core group.
	Group string `json:"group,omitempty"`
	// Version is the API version in which the fields were compared.
	Version string `json:"version,omitempty"`
	Kind    string `json:"kind"`
	// Namespace is empty for cluster-scoped objects.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// ObjectOf returns the identity of u; the zero Object if u is nil.
func ObjectOf(u *unstructured.Unstructured) Object {
	if u == nil {
		return Object{}
	}
	gvk := u.GroupVersionKind()
	return Object{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()}
}

// String returns "Deployment shop/web", or "StorageClass fast" for a
// cluster-scoped object, on one line and without what could control a terminal.
func (o Object) String() string {
	var b strings.Builder
	b.WriteString(o.Kind)
	b.WriteByte(' ')
	if o.Namespace != "" {
		b.WriteString(o.Namespace)
		b.WriteByte('/')
	}
	b.WriteString(o.Name)
	return clean.Line(b.String())
}

// GroupVersionKind returns the type of the object.
func (o Object) GroupVersionKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: o.Group, Version: o.Version, Kind: o.Kind}
}

// Compare orders objects by namespace, kind, name, group and version, with
// cluster-scoped objects first. It returns -1, 0 or 1, as [cmp.Compare] does.
func (o Object) Compare(p Object) int {
	return cmp.Or(
		cmp.Compare(o.Namespace, p.Namespace),
		cmp.Compare(o.Kind, p.Kind),
		cmp.Compare(o.Name, p.Name),
		cmp.Compare(o.Group, p.Group),
		cmp.Compare(o.Version, p.Version),
	)
}

// Less reports whether o comes before p in the order of [Object.Compare].
func (o Object) Less(p Object) bool { return o.Compare(p) < 0 }
