package readiness

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// family is a workload's pods, by revision: a broken pod of an old revision must
// not fail the rollout that replaces it.
type family struct {
	set *appsv1.ReplicaSet // the new one of a Deployment; nil otherwise
	now []*corev1.Pod      // of the newest revision
	old []*corev1.Pod      // of earlier ones
}

// familyOf returns the pods of a workload. Before the controller has observed
// the current generation, no pod counts as new.
func familyOf(v *view, obj *unstructured.Unstructured) family {
	var f family
	uid, gk := obj.GetUID(), obj.GroupVersionKind().GroupKind()
	split := func(isNew func(*corev1.Pod) bool) {
		for _, p := range v.podsOwnedBy(uid) {
			if isNew(p) {
				f.now = append(f.now, p)
			} else {
				f.old = append(f.old, p)
			}
		}
	}
	seen, _ := integer(obj, "status", "observedGeneration")
	current := seen >= obj.GetGeneration()
	switch gk.Group + "/" + gk.Kind {
	case "/Pod":
		if p, ok := v.pods[uid]; ok {
			f.now = append(f.now, p)
		} else if p := typed[corev1.Pod](obj); p != nil {
			f.now = append(f.now, p)
		}
	case "apps/Deployment":
		sets := v.setsOwnedBy(uid)
		if current {
			f.set = newReplicaSet(obj, sets)
		}
		for _, s := range sets {
			if f.set != nil && s.UID == f.set.UID {
				f.now = append(f.now, v.podsOwnedBy(s.UID)...)
			} else {
				f.old = append(f.old, v.podsOwnedBy(s.UID)...)
			}
		}
	case "apps/StatefulSet":
		revision := text(obj, "status", "updateRevision")
		split(func(p *corev1.Pod) bool {
			return current && p.Labels[appsv1.ControllerRevisionHashLabelKey] == revision
		})
	case "apps/DaemonSet":
		// The status does not name the newest ControllerRevision; the
		// template's generation, on the set and on its pods, is equivalent.
		template := obj.GetAnnotations()[appsv1.DeprecatedTemplateGeneration]
		split(func(p *corev1.Pod) bool {
			return current && (template == "" || p.Labels["pod-template-generation"] == template)
		})
	default:
		split(func(*corev1.Pod) bool { return true })
		// A custom resource that owns ReplicaSets, as a Deployment does.
		for _, s := range v.setsOwnedBy(uid) {
			f.now = append(f.now, v.podsOwnedBy(s.UID)...)
		}
	}
	return f
}

// newReplicaSet returns the one with the Deployment's current template: the
// oldest if there are several, which is the Deployment controller's choice. If
// none has it, because defaults have changed with the server's version, the
// revision annotation decides.
func newReplicaSet(obj *unstructured.Unstructured, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	d := typed[appsv1.Deployment](obj)
	if d == nil {
		return nil
	}
	for _, s := range sets {
		t := s.Spec.Template.DeepCopy()
		delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
		if len(t.Labels) == 0 && len(d.Spec.Template.Labels) == 0 {
			t.Labels = d.Spec.Template.Labels
		}
		if apiequality.Semantic.DeepEqual(*t, d.Spec.Template) {
			return s
		}
	}
	const revision = "deployment.kubernetes.io/revision"
	want, err := strconv.ParseInt(d.Annotations[revision], 10, 64)
	if err != nil {
		return nil
	}
	for _, s := range sets {
		if got, err := strconv.ParseInt(s.Annotations[revision], 10, 64); err == nil && got == want {
			return s
		}
	}
	return nil
}
