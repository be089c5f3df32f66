package engine

import (
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ownedBy adds an owner to metadata; nil adds none.
func ownedBy(metadata map[string]any, owner *metav1.OwnerReference) {
	if owner == nil {
		return
	}
	have, _ := metadata["ownerReferences"].([]any)
	reference := map[string]any{"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID)}
	if owner.Controller != nil {
		reference["controller"] = *owner.Controller
	}
	if owner.BlockOwnerDeletion != nil {
		reference["blockOwnerDeletion"] = *owner.BlockOwnerDeletion
	}
	metadata["ownerReferences"] = append(slices.DeleteFunc(slices.Clone(have), func(v any) bool {
		other, _ := v.(map[string]any)
		return other["uid"] == reference["uid"]
	}), reference)
}

// validOwner returns an error for an owner that Kubernetes would refuse; nil is
// none.
func validOwner(owner *metav1.OwnerReference) error {
	if owner != nil && (owner.APIVersion == "" || owner.Kind == "" || owner.Name == "" || owner.UID == "") {
		return invalid("Release.Owner", "lacks apiVersion, kind, name or uid; metav1.NewControllerRef makes one of a live object")
	}
	return nil
}

func sameOwner(a, b *metav1.OwnerReference) bool { return reflect.DeepEqual(a, b) }

// ownerNotes names the objects that a plan applies and that cannot have the
// release's owner, because they are not in its namespace.
func ownerNotes(k Key, owner *metav1.OwnerReference, steps []step) []string {
	if owner == nil {
		return nil
	}
	var names []string
	for _, s := range steps {
		if s.object.desired != nil && s.object.origin == fromManifest && s.object.id.Namespace != k.Namespace {
			names = append(names, s.object.id.String())
		}
	}
	if names == nil {
		return nil
	}
	return []string{fmt.Sprintf("not owned by %s %s, which can only own what is in its namespace: %s", owner.Kind, owner.Name, someOf(names))}
}
