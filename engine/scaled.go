package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// scalerKinds are what sets spec.replicas of other objects.
var scalerKinds = []schema.GroupVersionKind{
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"},
}

// scalers tell who scales a workload: by its identity, without the version.
type scalers map[diff.Object]string

// scalers finds the autoscalers, in the release or live, of the workloads
// whose number of replicas would change. It asks only where there are any.
func (pl *planning) scalers(ctx context.Context, items []*item) (scalers, error) {
	found := scalers{}
	var namespaces []string
	for _, it := range items {
		if it.desired != nil {
			found.add(it.desired, it.object.Namespace)
		}
		if it.scales() {
			namespaces = appendNew(namespaces, it.object.Namespace)
		}
	}
	for _, gvk := range scalerKinds {
		if len(namespaces) == 0 {
			break
		}
		m, err := pl.e.c.known(ctx, gvk)
		if m == nil || err != nil {
			if err != nil {
				return nil, fmt.Errorf("find the resource of %s: %w", gvk.Kind, err)
			}
			continue
		}
		for _, namespace := range namespaces {
			list, err := pl.e.c.resource(m, namespace).List(ctx, metav1.ListOptions{})
			if apierrors.IsForbidden(err) {
				continue // without the right to look, an autoscaler shows as a conflict
			}
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", m.Resource.Resource, err)
			}
			for i := range list.Items {
				list.Items[i].SetGroupVersionKind(gvk)
				found.add(&list.Items[i], namespace)
			}
		}
	}
	return found, nil
}

// known is mapping without another look for what is not there.
func (c *cluster) known(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	served, err := c.serves(ctx, gvk.GroupVersion())
	if err != nil || !served {
		return nil, err
	}
	return c.mapping(ctx, gvk)
}

func (s scalers) add(u *unstructured.Unstructured, namespace string) {
	gvk := u.GroupVersionKind()
	if !slices.ContainsFunc(scalerKinds, func(k schema.GroupVersionKind) bool { return k.GroupKind() == gvk.GroupKind() }) {
		return
	}
	ref, _, _ := unstructured.NestedStringMap(u.Object, "spec", "scaleTargetRef")
	o := diff.Object{Group: "apps", Kind: ref["kind"], Namespace: namespace, Name: ref["name"]}
	if gv, err := schema.ParseGroupVersion(ref["apiVersion"]); err == nil && ref["apiVersion"] != "" {
		o.Group = gv.Group
	}
	if o.Kind == "" {
		o.Kind = "Deployment" // KEDA's default
	}
	s[o] = gvk.Kind + " " + u.GetName()
}

// scales says whether the item would change the replicas of a living object.
func (it *item) scales() bool {
	if it.desired == nil || it.live == nil {
		return false
	}
	want, ok, _ := unstructured.NestedFieldNoCopy(it.desired.Object, "spec", "replicas")
	have, _, _ := unstructured.NestedFieldNoCopy(it.live.Object, "spec", "replicas")
	return ok && !jsonEqual(want, have)
}

// yield leaves the replicas of a scaled workload to its scaler. What nobody
// but the release owns keeps the value it has: left out, it would fall back to
// its default before the scaler sees it.
func (s scalers) yield(it *item, manager string) {
	if len(s) == 0 || !it.scales() {
		return
	}
	who, ok := s[identity(it.object)]
	if !ok {
		return
	}
	have, _, _ := unstructured.NestedFieldCopy(it.live.Object, "spec", "replicas")
	if ours, others := ownersOf(it.live, manager, replicasPath); ours && !others {
		if err := setField(it.desired, have, "spec", "replicas"); err != nil {
			return // spec is no map, which the API server will say
		}
	} else if err := setField(it.desired, nil, "spec", "replicas"); err != nil {
		return // as above
	}
	it.notes = append(it.notes, fmt.Sprintf("spec.replicas stays %v: %s decides about it", have, who))
}

// ownersOf says whether manager's own applies own the field at p in the live
// object, and whether anyone else does. An object that nobody manages belongs
// to somebody else, which is what the API server makes of it.
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

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

// yield notes what was left to other managers by policy.
func (it *item) yield(left []merge.Conflict) {
	for _, c := range left {
		it.notes = append(it.notes, fmt.Sprintf("%s is left to %s", c.Path, c.Manager))
	}
}
