package readiness

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// stillThere describes what was not deleted in time.
func stillThere(left map[identity]Target, last map[identity]*unstructured.Unstructured, waited time.Duration, why error) error {
	e := &NotGone{Waited: waited, Err: why}
	var targets []Target
	for _, t := range left {
		targets = append(targets, t)
	}
	slices.SortFunc(targets, compareTargets)
	for _, t := range targets {
		d := Diagnosis{Kind: t.Kind, Group: t.GVR.Group, Namespace: t.Namespace, Name: t.Name, State: Progressing, Reason: "Exists"}
		obj := last[t.identity()]
		switch {
		case obj == nil:
			d.State, d.Reason, d.Message = Unknown, "NotSeen", "whether it still exists is not known"
		case obj.GetDeletionTimestamp() == nil:
			d.Message = "it was not asked to go, or was made again"
			d.Hint = "delete it"
		default:
			st := terminating(obj)
			d.Reason, d.Message = st.Reason, st.Message
			d.Hint = deletionHint(obj)
		}
		e.Objects = append(e.Objects, d)
	}
	return e
}

func deletionHint(obj *unstructured.Unstructured) string {
	fs := obj.GetFinalizers()
	switch {
	case slices.Contains(fs, "kubernetes.io/pvc-protection"):
		return "a pod still uses the claim: it goes when the pod is gone"
	case slices.Contains(fs, "foregroundDeletion"):
		return "it goes when the objects that it owns are gone"
	case obj.GetKind() == "Namespace":
		var said []string
		for _, kind := range []string{"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionDiscoveryFailure"} {
			if c, ok := conditionOf(obj, kind); ok && c.isTrue() {
				said = append(said, c.Message)
			}
		}
		return strings.Join(said, "; ")
	case len(fs) > 0:
		return "see whether the controller that serves the finalizer runs"
	}
	return ""
}
