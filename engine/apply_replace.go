package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// errNotRecreated: a replacement ended between its two halves.
var errNotRecreated = errors.New("it was deleted to be replaced, and was not created again")

// replace deletes an object and creates it again. If the process dies in
// between, the next plan finds the object missing, and creates it.
func (r *run) replace(ctx context.Context, i int) error {
	s := r.w.steps[i]
	if err := r.growClaims(ctx, i); err != nil {
		return err
	}
	pods, err := r.podsOf(ctx, s.object.target, s.object.live)
	if err != nil {
		return err
	}
	uninterrupted := ctx
	if s.write.replace == replacedOrphaning {
		// What it owns has no owner until it exists again, so a caller's context
		// that ends does not stop this half-way.
		var cancel context.CancelFunc
		uninterrupted, cancel = r.withGrace(ctx)
		defer cancel()
	}
	if err := r.deleteToReplace(uninterrupted, s); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete it: %w", err)
	}
	if err := r.recreate(uninterrupted, i); err != nil {
		return &Error{
			Op: "replace", Key: r.p.Key, Object: s.object.id, Hint: "deploy again, which creates it",
			Err: fmt.Errorf("%w: %w", errNotRecreated, err),
		}
	}
	if s.write.replace != replacedOrphaning || len(pods) == 0 || r.opts.NoWait {
		return nil
	}
	return r.waitAdopted(ctx, i, pods)
}

// deleteToReplace deletes the very object that was read.
func (r *run) deleteToReplace(ctx context.Context, s step) error {
	uid, propagation := s.object.live.GetUID(), metav1.DeletePropagationForeground
	if s.write.replace == replacedOrphaning {
		propagation = metav1.DeletePropagationOrphan
	}
	return r.e.cluster.Resource(s.object.mapping, s.object.id.Namespace).Delete(ctx, s.object.id.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
}

// recreate applies an object once the deleted one is gone.
func (r *run) recreate(ctx context.Context, i int) error {
	s := r.w.steps[i]
	gone, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	if err := r.waitGoneFor(gone, []readiness.Target{readinessTarget(s.object.target, s.object.live)}); err != nil {
		return err
	}
	return r.write(ctx, i, s.write.asNew())
}

// withGrace is ctx, which ends recordingTime later than it would, unless the
// release's lock was lost: then another operation continues from here.
func (r *run) withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if r.lock.Lost() {
			cancel(context.Cause(ctx))
			return
		}
		t := time.AfterFunc(recordingTime, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(longer, func() { t.Stop() })
	})
	return longer, func() { stop(); cancel(nil) }
}

// waitAdopted waits until the pods that a StatefulSet left behind are those of
// the new one, and warns if any of them was recreated meanwhile.
func (r *run) waitAdopted(ctx context.Context, i int, pods map[string]types.UID) error {
	s, live := r.w.steps[i], r.state.live(i)
	expected := podsOfSet(live)
	var targets []readiness.Target
	for n := expected.from; n < expected.to; n++ {
		if name := fmt.Sprintf("%s-%d", s.object.id.Name, n); pods[name] != "" {
			targets = append(targets, readiness.Target{GVR: podsGVR, Kind: "Pod", Namespace: s.object.id.Namespace, Name: name})
		}
	}
	set := live.GetUID()
	o := r.waitOptions()
	o.Limits.Grace[readiness.CauseGone] = -1 // a pod that is recreated may take its time to end
	o.Rules = map[schema.GroupKind]readiness.Rule{{Kind: "Pod"}: func(u *unstructured.Unstructured) (readiness.Status, error) {
		if c := metav1.GetControllerOf(u); c != nil && c.UID == set {
			return readiness.Status{State: readiness.Ready, Reason: "Adopted"}, nil
		}
		return readiness.Status{State: readiness.Progressing, Reason: "NotAdopted", Message: "the new StatefulSet has not adopted it yet"}, nil
	}}
	if err := r.wait(ctx, "adopted by "+s.object.id.String(), targets, o); err != nil {
		return &Error{
			Op: "replace", Key: r.p.Key, Object: s.object.id, Err: fmt.Errorf("it was created again, but has not adopted its pods: %w", err),
			Hint: "they run; compare their labels with the StatefulSet's selector, and check that its controller runs",
		}
	}
	if slices.ContainsFunc(s.change.Fields, ofPodTemplate) {
		return nil // they are recreated for that
	}
	now, err := r.podsOf(ctx, s.object.target, live)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if now[t.Name] != pods[t.Name] {
			r.e.events.emit(Warning{about(r.p.Key), fmt.Sprintf("pod %s was recreated while %s was replaced", t.Name, s.object.id)})
		}
	}
	return nil
}
