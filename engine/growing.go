package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

var (
	claimsGVR = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	podsGVR   = corev1.SchemeGroupVersion.WithResource("pods")
)

// growClaims asks for the claims' new sizes, and waits until they have them.
// If it dies, the next plan finds the template still small, and goes on with
// the claims that are.
func (r *run) growClaims(ctx context.Context, it *item) error {
	if len(it.grows) == 0 {
		return nil
	}
	work := newLimited(ctx, r.e.opts.Concurrency)
	for _, g := range it.grows {
		if !g.ask {
			continue
		}
		work.do(func(ctx context.Context) error {
			if _, err := r.e.resizeClaim(ctx, g, false); err != nil {
				return fmt.Errorf("grow claim %s: %w", g.claim.Name, err)
			}
			return nil
		})
	}
	if err := work.wait(); err != nil {
		return err
	}
	pods, err := r.podsOf(ctx, it)
	if err != nil {
		return err
	}
	sizes := map[string]resource.Quantity{}
	var targets []readiness.Target
	for _, g := range it.grows {
		sizes[g.claim.Name] = g.size
		targets = append(targets, readiness.Target{GVR: claimsGVR, Kind: "PersistentVolumeClaim", Namespace: g.claim.Namespace, Name: g.claim.Name, UID: g.claim.UID})
	}
	used := map[string]bool{} // claims
	for _, g := range it.grows {
		_, used[g.claim.Name] = pods[g.claim.pod]
	}
	o := r.waitOptions()
	o.Rules = map[schema.GroupKind]readiness.Rule{{Kind: "PersistentVolumeClaim"}: func(u *unstructured.Unstructured) (readiness.Status, error) {
		return grown(u, sizes[u.GetName()], used[u.GetName()])
	}}
	if err := r.wait(ctx, targets, o, newTeller(r, false)); err != nil {
		return &Error{
			Op: "grow", Key: r.p.Key, Object: it.object, Err: fmt.Errorf("its claims do not grow: %w", err),
			Hint: "the StatefulSet is as it was; see to the claims and deploy again, which goes on from here",
		}
	}
	for it.told < len(it.grows) {
		c := it.related[it.told]
		r.e.events.emit(Applied{about(r.p.Key), c.Object, c.Action, 0})
		it.told++
	}
	return nil
}

// grown judges a claim by its capacity. A claim that no pod uses is grown when
// only its file system is not: that happens when a pod mounts it.
func grown(u *unstructured.Unstructured, size resource.Quantity, used bool) (readiness.Status, error) {
	text, _, _ := unstructured.NestedString(u.Object, "status", "capacity", "storage")
	has, err := resource.ParseQuantity(text)
	if err != nil {
		return readiness.Status{}, fmt.Errorf("its capacity is %q: %w", text, err)
	}
	st := readiness.Status{State: readiness.Progressing, Reason: "Growing", Message: fmt.Sprintf("it has %s of %s", text, &size)}
	if has.Cmp(size) >= 0 {
		st.State, st.Reason, st.Message = readiness.Ready, "Grown", "it has "+text
		return st, nil
	}
	if now, _, _ := unstructured.NestedString(u.Object, "status", "allocatedResourceStatuses", "storage"); strings.HasSuffix(now, "ResizeInfeasible") {
		st.State, st.Reason = readiness.Failed, now
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		c, _ := c.(map[string]any)
		kind, _ := c["type"].(string)
		message, _ := c["message"].(string)
		if c["status"] != "True" {
			continue
		}
		switch corev1.PersistentVolumeClaimConditionType(kind) {
		case corev1.PersistentVolumeClaimFileSystemResizePending:
			if !used {
				st.State, st.Reason = readiness.Ready, kind
			}
		case corev1.PersistentVolumeClaimControllerResizeError, corev1.PersistentVolumeClaimNodeResizeError:
			st.Message += ": " + message
		}
	}
	return st, nil
}

// podsOf are the pods that a living StatefulSet controls, by name.
func (r *run) podsOf(ctx context.Context, it *item) (map[string]types.UID, error) {
	if !isStatefulSet(it.object) {
		return nil, nil
	}
	selector, err := selectorOf(it.live)
	if err != nil {
		return nil, err
	}
	list, err := r.e.c.typed.CoreV1().Pods(it.object.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if apierrors.IsForbidden(err) {
		r.e.events.emit(Warning{about(r.p.Key), fmt.Sprintf("whether the pods of %s stay the same cannot be seen: %v", it.object, err)})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list its pods: %w", err)
	}
	out := map[string]types.UID{}
	for _, p := range list.Items {
		if c := metav1.GetControllerOf(&p); c != nil && c.UID == it.live.GetUID() && p.DeletionTimestamp == nil {
			out[p.Name] = p.UID
		}
	}
	return out, nil
}

// selectorOf reads spec.selector of a workload.
func selectorOf(u *unstructured.Unstructured) (labels.Selector, error) {
	field, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(field, &selector); err != nil {
		return nil, fmt.Errorf("read its selector: %w", err)
	}
	return metav1.LabelSelectorAsSelector(&selector)
}

// waitAdopted waits until the pods that a StatefulSet left behind are those of
// the new one, and says so if any of them is another by then.
func (r *run) waitAdopted(ctx context.Context, it *item, pods map[string]types.UID) error {
	if !it.orphan || len(pods) == 0 || r.opts.NoWait {
		return nil
	}
	will := podsOfSet(it.live)
	var targets []readiness.Target
	for n := will.from; n < will.to; n++ {
		if name := fmt.Sprintf("%s-%d", it.object.Name, n); pods[name] != "" {
			targets = append(targets, readiness.Target{GVR: podsGVR, Kind: "Pod", Namespace: it.object.Namespace, Name: name})
		}
	}
	set := it.live.GetUID()
	o := r.waitOptions()
	o.Policy.Gone = -1 // one that is renewed may take its time to end
	o.Rules = map[schema.GroupKind]readiness.Rule{{Kind: "Pod"}: func(u *unstructured.Unstructured) (readiness.Status, error) {
		if c := metav1.GetControllerOf(u); c != nil && c.UID == set {
			return readiness.Status{State: readiness.Ready, Reason: "Adopted"}, nil
		}
		return readiness.Status{State: readiness.Progressing, Reason: "NotAdopted", Message: "it is not the new StatefulSet's yet"}, nil
	}}
	if err := r.wait(ctx, targets, o, newTeller(r, false)); err != nil {
		return &Error{
			Op: "replace", Key: r.p.Key, Object: it.object, Err: fmt.Errorf("it was created again, but has not taken its pods: %w", err),
			Hint: "they run; compare their labels with the StatefulSet's selector, and see whether its controller runs",
		}
	}
	if slices.ContainsFunc(it.change.Fields, ofPodTemplate) {
		return nil // they are renewed for that
	}
	now, err := r.podsOf(ctx, it)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if now[t.Name] != pods[t.Name] {
			r.e.events.emit(Warning{about(r.p.Key), fmt.Sprintf("pod %s was made anew while %s was replaced", t.Name, it.object)})
		}
	}
	return nil
}
