package engine

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

var (
	claimsGVR = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	podsGVR   = corev1.SchemeGroupVersion.WithResource("pods")
)

// growClaims requests the claims' new sizes, and waits until they have them. If
// the process dies, the next plan finds the template still small, and continues
// with the claims that are left.
func (r *run) growClaims(ctx context.Context, i int) error {
	s := r.w.steps[i]
	if len(s.write.growth) == 0 {
		return nil
	}
	if err := r.requestSizes(ctx, s.write.growth); err != nil {
		return err
	}
	pods, err := r.podsOf(ctx, s.object.target, s.object.live)
	if err != nil {
		return err
	}
	sizes, used := map[string]resource.Quantity{}, map[string]bool{} // by claim
	var targets []readiness.Target
	for _, g := range s.write.growth {
		sizes[g.claim.Name] = g.size
		_, used[g.claim.Name] = pods[g.claim.pod]
		targets = append(targets, readiness.Target{GVR: claimsGVR, Kind: "PersistentVolumeClaim", Namespace: g.claim.Namespace, Name: g.claim.Name, UID: g.claim.UID})
	}
	o := r.waitOptions()
	o.Rules = map[schema.GroupKind]readiness.Rule{{Kind: "PersistentVolumeClaim"}: func(u *unstructured.Unstructured) (readiness.Status, error) {
		return claimStatus(u, sizes[u.GetName()], used[u.GetName()])
	}}
	if err := r.wait(ctx, "growth of "+s.object.id.String(), targets, o); err != nil {
		return &Error{
			Op: "grow", Key: r.p.Key, Object: s.object.id, Err: fmt.Errorf("its claims do not grow: %w", err),
			Hint: "the StatefulSet is unchanged; fix the claims and deploy again, which continues from here",
		}
	}
	r.endRelated(i, len(s.write.growth), Applied{about(r.p.Key), s.object.id, diff.Updated, 0})
	return nil
}

// requestSizes requests the new sizes of those claims that do not have them
// requested yet.
func (r *run) requestSizes(ctx context.Context, growth []claimGrowth) error {
	group := parallel.New(ctx, r.e.opts.Concurrency)
	for _, g := range growth {
		if !g.request {
			continue
		}
		group.Do(func(ctx context.Context) error {
			if _, err := r.e.resizeClaim(ctx, g, false); err != nil {
				return fmt.Errorf("grow claim %s: %w", g.claim.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// claimStatus judges a claim by its capacity. A claim that no pod uses is ready
// when only its file system has not grown: that happens when a pod mounts it.
func claimStatus(u *unstructured.Unstructured, size resource.Quantity, used bool) (readiness.Status, error) {
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

// podsOf returns the pods that a live StatefulSet controls, by name; nil for
// other kinds, and without the permission to list pods.
func (r *run) podsOf(ctx context.Context, t target, live *unstructured.Unstructured) (map[string]types.UID, error) {
	if !isStatefulSet(t.id) {
		return nil, nil
	}
	selector, err := selectorOf(live)
	if err != nil {
		return nil, err
	}
	list, err := r.e.cluster.Typed.CoreV1().Pods(t.id.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if apierrors.IsForbidden(err) {
		r.e.events.emit(Warning{about(r.p.Key), fmt.Sprintf("cannot check that the pods of %s stay the same: %v", t.id, err)})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list its pods: %w", err)
	}
	out := map[string]types.UID{}
	for _, p := range list.Items {
		if c := metav1.GetControllerOf(&p); c != nil && c.UID == live.GetUID() && p.DeletionTimestamp == nil {
			out[p.Name] = p.UID
		}
	}
	return out, nil
}
