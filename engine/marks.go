package engine

import (
	"bytes"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Marks by which Helm, and so Fairlead, recognises its own objects, as in
// Helm's pkg/action/validate.go.
const (
	labelManagedBy      = "app.kubernetes.io/managed-by"
	managedByHelm       = "Helm"
	annotationName      = "meta.helm.sh/release-name"
	annotationNamespace = "meta.helm.sh/release-namespace"
)

// mark writes the release's ownership into metadata.
func mark(metadata map[string]any, k Key) {
	labels, annotations := cloned(metadata["labels"]), cloned(metadata["annotations"])
	labels[labelManagedBy] = managedByHelm
	annotations[annotationName], annotations[annotationNamespace] = k.Name, k.Namespace
	metadata["labels"], metadata["annotations"] = labels, annotations
}

// owner is the release that the object says it belongs to; zero if none, or
// if there is no object.
func owner(u *unstructured.Unstructured) Key {
	if u == nil {
		return Key{}
	}
	name := annotation(u, annotationName)
	if name == "" {
		return Key{}
	}
	return Key{Namespace: annotation(u, annotationNamespace), Name: name}
}

// ownsMark reports whether a field manager has written which release an object
// belongs to.
func ownsMark(entry metav1.ManagedFieldsEntry) bool {
	return entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:`+annotationName+`"`))
}

// ownersOf reports whether manager's own applies own the field at p in the live
// object, and whether another manager does, former managers of the release
// (formerManagers) among these. The API server treats an object
// without managedFields as owned by another manager.
func ownersOf(live *unstructured.Unstructured, manager string, p fieldpath.Path) (ours, others bool) {
	if live == nil {
		return false, false
	}
	others = len(live.GetManagedFields()) == 0
	for _, e := range live.GetManagedFields() {
		set := &fieldpath.Set{}
		if e.FieldsV1 == nil || set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())) != nil || !set.Has(p) {
			continue
		}
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply {
			ours = true
		} else {
			others = true
		}
	}
	return ours, others
}

// annotationPolicy is Helm's annotation by which objects stay when they leave
// the manifest, or the release is uninstalled.
const (
	annotationPolicy   = "helm.sh/resource-policy"
	resourcePolicyKeep = "keep"
)
