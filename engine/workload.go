package engine

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

// annotationCause is where kubectl rollout history looks for a change cause.
const annotationCause = "kubernetes.io/change-cause"

var (
	replicasAt   = []string{"spec", "replicas"}
	replicasPath = fieldpath.MakePathOrDie("spec", "replicas")
)

// isWorkload reports whether the kind has revisions of its own, with a change
// cause, that kubectl rollout shows.
func isWorkload(o diff.Object) bool {
	return o.Group == "apps" && (o.Kind == "Deployment" || o.Kind == "StatefulSet" || o.Kind == "DaemonSet")
}

// ofPodTemplate reports whether a field is of a workload's pod template.
func ofPodTemplate(f diff.Field) bool {
	return f.Path == "spec.template" || strings.HasPrefix(f.Path, "spec.template.")
}

// deletedByTTL reports whether an object is a Job that the cluster deletes once
// it has finished.
func deletedByTTL(u *unstructured.Unstructured) bool {
	_, has, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "ttlSecondsAfterFinished")
	return has && u.GroupVersionKind().GroupKind() == (schema.GroupKind{Group: "batch", Kind: "Job"})
}
