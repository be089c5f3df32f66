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

// keepReplicas sees to a workload whose number of replicas is not the
// chart's: left out, it would fall back to 1 where creating the object again
// has made it the engine's own, or where the object is gone and its pods are
// not.
func (pl *planning) keepReplicas(ctx context.Context, it *item, scaler string) error {
	if it.desired == nil || it.base == nil || !hasCause(it.object) {
		return nil
	}
	_, wanted, _ := unstructured.NestedFieldNoCopy(it.desired.Object, replicasAt...)
	_, applied, _ := unstructured.NestedFieldNoCopy(it.base.Object, replicasAt...)
	if it.live != nil {
		have, ok, _ := unstructured.NestedFieldCopy(it.live.Object, replicasAt...)
		ours, others := ownersOf(it.live, pl.manager, replicasPath)
		if wanted || applied || !ok || !ours || others {
			return nil
		}
		return setField(it.desired, have, replicasAt...)
	}
	if !isStatefulSet(it.object) || it.pending || wanted && scaler == "" {
		return nil
	}
	selector, err := selectorOf(it.desired)
	if err != nil {
		return nil // which the API server will say
	}
	pods, err := pl.e.c.typed.CoreV1().Pods(it.object.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the pods that %s has left: %w", it.object, err)
	}
	will := podsOfSet(it.desired)
	to := will.to
	for _, p := range pods.Items {
		number, ok := strings.CutPrefix(p.Name, it.object.Name+"-")
		ordinal, err := strconv.Atoi(number)
		if ok && err == nil && p.DeletionTimestamp == nil && metav1.GetControllerOf(&p) == nil {
			to = max(to, ordinal+1)
		}
	}
	if to == will.to {
		return nil
	}
	it.notes = append(it.notes, fmt.Sprintf("spec.replicas becomes %d, as many as the pods that are there", to-will.from))
	return setField(it.desired, int64(to-will.from), replicasAt...)
}
