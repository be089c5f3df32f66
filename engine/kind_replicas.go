package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keepReplicas keeps a number of replicas that the chart does not set: left
// out, it would fall back to 1 where recreating the object has made the field
// the engine's own, or where the object is gone and its pods are not.
func (j *judge) keepReplicas(ctx context.Context, in intended) (intended, error) {
	if in.base == nil || !isWorkload(in.id) {
		return in, nil
	}
	_, wanted, _ := unstructured.NestedFieldNoCopy(in.body.Object, replicasAt...)
	if in.live != nil {
		_, applied, _ := unstructured.NestedFieldNoCopy(in.base.Object, replicasAt...)
		have, ok, _ := unstructured.NestedFieldCopy(in.live.Object, replicasAt...)
		ours, others := ownersOf(in.live, j.manager, replicasPath)
		if wanted || applied || !ok || !ours || others {
			return in, nil
		}
		return in.withBodyField(have, replicasAt...), nil
	}
	if !isStatefulSet(in.id) || in.pending || wanted && j.scalers[identity(in.id)] == "" {
		return in, nil
	}
	return j.keepOrphanedPods(ctx, in)
}

// keepOrphanedPods scales a StatefulSet that is gone to the pods that it left.
func (j *judge) keepOrphanedPods(ctx context.Context, in intended) (intended, error) {
	selector, err := selectorOf(in.body)
	if err != nil {
		return in, nil // which the API server refuses
	}
	pods, err := j.lister.pods(ctx, in.id.Namespace, selector.String())
	if apierrors.IsForbidden(err) {
		return in, nil
	}
	if err != nil {
		return intended{}, fmt.Errorf("list the pods that %s has left: %w", in.id, err)
	}
	will := podsOfSet(in.body)
	to := will.to
	for _, p := range pods {
		number, ok := strings.CutPrefix(p.Name, in.id.Name+"-")
		ordinal, err := strconv.Atoi(number)
		if ok && err == nil && p.DeletionTimestamp == nil && metav1.GetControllerOf(&p) == nil {
			to = max(to, ordinal+1)
		}
	}
	if to == will.to {
		return in, nil
	}
	in = in.withNote(fmt.Sprintf("spec.replicas becomes %d, the number of its existing pods", to-will.from))
	return in.withBodyField(int64(to-will.from), replicasAt...), nil
}
