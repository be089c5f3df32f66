package engine

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// autoscalerKinds set spec.replicas of other objects.
var autoscalerKinds = []schema.GroupVersionKind{
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"},
}

// scalers are the autoscalers by the workload that they scale, without its
// version.
type scalers map[diff.Object]string

// findScalers finds the autoscalers, in the release or live, of the workloads
// whose number of replicas would change. It asks only where there are any.
func (j *judge) findScalers(ctx context.Context) (scalers, error) {
	found := scalers{}
	var namespaces []string
	planned := map[diff.Object]bool{} // as they will be, not as they are live
	for _, o := range j.objects {
		leaves := o.desired == nil && removal(o, j.key).Action == diff.Deleted
		if o.desired != nil || leaves {
			planned[identity(o.id)] = true
		}
		if workload, _, ok := scaledBy(o.live, o.id.Namespace); leaves && ok {
			j.released[workload] = true
		}
		if o.desired == nil || j.blocked(o) != nil {
			continue
		}
		found.add(o.desired, o.id.Namespace)
		if changesReplicas(o, o.desired) {
			namespaces = appendNew(namespaces, o.id.Namespace)
		}
	}
	for _, gvk := range autoscalerKinds {
		for _, namespace := range namespaces {
			list, err := j.lister.autoscalers(ctx, gvk, namespace)
			if err != nil {
				return nil, err
			}
			for i := range list {
				if list[i].SetGroupVersionKind(gvk); !planned[identity(diff.ObjectOf(&list[i]))] {
					found.add(&list[i], namespace)
				}
			}
		}
	}
	return found, nil
}

func (s scalers) add(u *unstructured.Unstructured, namespace string) {
	if workload, who, ok := scaledBy(u, namespace); ok {
		s[workload] = who
	}
}

// scaledBy is the workload that an autoscaler scales, by identity; not ok for
// other objects.
func scaledBy(u *unstructured.Unstructured, namespace string) (workload diff.Object, who string, ok bool) {
	if u == nil {
		return diff.Object{}, "", false
	}
	gvk := u.GroupVersionKind()
	if !slices.ContainsFunc(autoscalerKinds, func(k schema.GroupVersionKind) bool { return k.GroupKind() == gvk.GroupKind() }) {
		return diff.Object{}, "", false
	}
	ref, _, _ := unstructured.NestedStringMap(u.Object, "spec", "scaleTargetRef")
	workload = diff.Object{Group: "apps", Kind: ref["kind"], Namespace: namespace, Name: ref["name"]}
	if gv, err := schema.ParseGroupVersion(ref["apiVersion"]); err == nil && ref["apiVersion"] != "" {
		workload.Group = gv.Group
	}
	if workload.Kind == "" {
		workload.Kind = "Deployment" // KEDA's default
	}
	return workload, gvk.Kind + " " + u.GetName(), true
}

// changesReplicas reports whether applying body would change the replicas of
// the live object.
func changesReplicas(o *object, body *unstructured.Unstructured) bool {
	if body == nil || o.live == nil {
		return false
	}
	want, ok, _ := unstructured.NestedFieldNoCopy(body.Object, replicasAt...)
	have, _, _ := unstructured.NestedFieldNoCopy(o.live.Object, replicasAt...)
	return ok && !jsonEqual(want, have)
}

// yield leaves the replicas of a scaled workload to its autoscaler. Where only
// the release owns the field it keeps the live value: left out, it would fall
// back to its default before the autoscaler sets it.
func (s scalers) yield(in intended, manager string) intended {
	who, ok := s[identity(in.id)]
	if !ok || !changesReplicas(in.object, in.body) {
		return in
	}
	have, _, _ := unstructured.NestedFieldCopy(in.live.Object, replicasAt...)
	value := have
	if ours, others := ownersOf(in.live, manager, replicasPath); !ours || others {
		value = nil
	}
	return in.withBodyField(value, replicasAt...).withNote(fmt.Sprintf("spec.replicas stays %v: %s sets it", have, who))
}

// v2Annotations hold, in an autoscaler that is read as autoscaling/v1, what only
// autoscaling/v2 has fields for.
var v2Annotations = []string{"autoscaling.alpha.kubernetes.io/metrics", "autoscaling.alpha.kubernetes.io/behavior"}

// withoutV2 is an autoscaler v1 without what the release has applied to it as v2,
// where the manifest asks for v1 now; nil: there is nothing to remove.
func (in intended) withoutV2(merged *unstructured.Unstructured) *unstructured.Unstructured {
	if in.id.Group != "autoscaling" || in.id.Version != "v1" || in.base == nil || in.base.GroupVersionKind().Version == "v1" {
		return nil
	}
	out := merged
	for _, key := range v2Annotations {
		if annotation(in.body, key) == "" && annotation(out, key) != "" {
			out = withAnnotation(out, key, "")
		}
	}
	if out == merged {
		return nil
	}
	return out
}
