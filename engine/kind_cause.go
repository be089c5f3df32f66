package engine

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

var causePath = fieldpath.MakePathOrDie("metadata", "annotations", annotationCause)

// keepCause lets the object keep the cause that is live, so that leaving it out
// does not look like its removal; setsCause decides about a new one.
func (in intended) keepCause() intended {
	if !isWorkload(in.id) {
		return in
	}
	if in.ownCause = annotation(in.body, annotationCause) != ""; in.ownCause {
		return in
	}
	if have := annotation(in.live, annotationCause); have != "" {
		in.body = withAnnotation(in.body, annotationCause, have)
	}
	return in
}

// withCauseOf puts the live cause into the base: the stored manifest does not
// hold the cause that was applied with it.
func (in intended) withCauseOf(live *unstructured.Unstructured) intended {
	if in.base == nil || live == nil || !isWorkload(in.id) || annotation(in.base, annotationCause) != "" {
		return in
	}
	in.base = withAnnotation(in.base, annotationCause, annotation(live, annotationCause))
	return in
}

// setsCause reports whether the plan's cause becomes the workload's. A cause
// belongs to a version of the pods: it is set when the pod template changes,
// and stays as it is otherwise, because kubectl and the controllers would put
// it on the current version. A cause that the chart itself sets is left to the
// chart.
func (j *judge) setsCause(in intended, f prediction, change diff.Change) bool {
	if j.mode == comparing || !isWorkload(in.id) || in.ownCause || in.live != nil && !slices.ContainsFunc(change.Fields, ofPodTemplate) {
		return false
	}
	return annotation(f.body, annotationCause) != j.cause
}

// withCause sets the plan's cause on what is applied and on what is predicted.
// It is taken from any manager that set another, because it describes what the
// engine does.
func (j *judge) withCause(in intended, f prediction, merged *unstructured.Unstructured) (prediction, *unstructured.Unstructured) {
	f.body = withAnnotation(f.body, annotationCause, j.cause)
	if _, others := ownersOf(in.live, j.manager, causePath); others {
		f.force = true // every other conflict is settled, or a problem
	}
	if merged != nil {
		merged = withAnnotation(merged, annotationCause, j.cause)
	}
	return f, merged
}
