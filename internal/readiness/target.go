package readiness

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Target is one object to wait for, as it was just applied.
type Target struct {
	GVR       schema.GroupVersionResource
	Kind      string
	Namespace string // empty for cluster-scoped objects
	Name      string

	// UID of the object that was applied. An object of the same name with
	// another UID was created by another client and is reported as such.
	// Empty: any.
	UID types.UID

	// Generation that the write returned. The status of an earlier generation
	// does not count. 0: any.
	Generation int64

	// Written is the entry of managedFields that the write has left for its
	// manager, as JSON. If another client changes the spec of the object
	// afterwards, so that the manager no longer owns what it wrote there, that is
	// reported; a number of replicas does not count. Empty: not compared.
	Written string

	// Applied is the object as the write has just returned it. Wait begins with it
	// and watches what changes from then on, without a LIST first; Look takes it as it
	// is. nil: the object is read.
	Applied *unstructured.Unstructured

	// EndsByTTL: the object is a Job that the cluster deletes once it has
	// finished, so that it may be gone before it was seen to finish.
	EndsByTTL bool

	// NoStatus: objects of this kind have no status subresource, so that no
	// controller will report on them. A custom resource without a status is
	// then ready once it exists.
	NoStatus bool
}

// assess returns the status of obj, the target's live object.
func (t Target) assess(obj *unstructured.Unstructured, rules map[schema.GroupKind]Rule) Status {
	st := Assess(obj, rules)
	if _, ruled := rules[t.GroupKind()]; t.NoStatus && !ruled && st.State == Unknown && st.Reason == reasonNoStatus {
		return Status{State: Ready, Reason: "Exists", Message: "its kind reports no status"}
	}
	return st
}

// GroupKind returns the kind without its version.
func (t Target) GroupKind() schema.GroupKind {
	return schema.GroupKind{Group: t.GVR.Group, Kind: t.Kind}
}

// String is "Kind namespace/name", or "Kind name" outside a namespace.
func (t Target) String() string {
	if t.Namespace == "" {
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}

// compareTargets orders targets by namespace, kind and name.
func compareTargets(a, b Target) int {
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.GVR.Group, b.GVR.Group),
	)
}

// identity is what makes two targets the same object.
type identity struct {
	schema.GroupVersionResource
	types.NamespacedName
}

func (t Target) identity() identity {
	return identity{t.GVR, types.NamespacedName{Namespace: t.Namespace, Name: t.Name}}
}

// isBefore reports whether obj is the target's object, or another one of its name, as
// it was before it was applied. A watch for several objects begins before some of them.
func (t Target) isBefore(obj *unstructured.Unstructured) bool {
	if t.Applied == nil {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), t.Applied.GetResourceVersion())
	return err == nil && order <= 0
}

// matches reports whether obj is the object that was applied, and not another
// one of the same name.
func (t Target) matches(obj *unstructured.Unstructured) bool {
	return t.UID == "" || obj.GetUID() == t.UID
}
