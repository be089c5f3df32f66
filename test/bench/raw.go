package main

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// raw is the floor: one server-side apply for each object, with decoded objects
// and known resources; nothing is read, compared or recorded.
type raw struct {
	dynamic  dynamic.Interface
	typed    kubernetes.Interface
	inFlight int
	objects  *objectCache
}

func newRaw(config *rest.Config, inFlight int, objects *objectCache) (*raw, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfigAndClient(config, httpClient)
	return &raw{dynamic: d, typed: typed, inFlight: inFlight, objects: objects}, err
}

func (r *raw) do(ctx context.Context, t task) (int, error) {
	objects, err := r.objects.of(t)
	if err != nil {
		return 0, err
	}
	switch t.Op {
	case opInstall, opNone, opChange:
		return 0, r.each(ctx, objects, r.apply(nil))
	case opPlan:
		return 0, r.each(ctx, objects, r.apply([]string{metav1.DryRunAll}))
	case opInstallWait:
		if err := r.each(ctx, objects, r.apply(nil)); err != nil {
			return 0, err
		}
		return 0, r.waitDeployments(ctx, objects, t.Namespace)
	case opUninstall:
		return 0, r.each(ctx, objects, func(ctx context.Context, o *unstructured.Unstructured) error {
			err := r.resource(o).Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		})
	}
	return 0, fmt.Errorf("the raw client does not support %q", t.Op)
}

func (r *raw) each(ctx context.Context, objects []*unstructured.Unstructured, do func(context.Context, *unstructured.Unstructured) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.inFlight)
	for _, o := range objects {
		group.Go(func() error { return do(ctx, o) })
	}
	return group.Wait()
}

func (r *raw) apply(dryRun []string) func(context.Context, *unstructured.Unstructured) error {
	return func(ctx context.Context, o *unstructured.Unstructured) error {
		body, err := json.Marshal(o)
		if err != nil {
			return err
		}
		_, err = r.resource(o).Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{
			FieldManager: "raw", Force: ptr.To(true), DryRun: dryRun,
		})
		return err
	}
}

// resource guesses the plural, which is correct for the workloads' kinds.
func (r *raw) resource(o *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	return r.dynamic.Resource(schema.GroupVersionResource(plural)).Namespace(o.GetNamespace())
}

// waitDeployments watches until all Deployments are available.
func (r *raw) waitDeployments(ctx context.Context, objects []*unstructured.Unstructured, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	waiting := map[string]bool{}
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			waiting[o.GetName()] = true
		}
	}
	w, err := r.typed.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer w.Stop()
	for len(waiting) > 0 {
		event, ok := <-w.ResultChan()
		if !ok {
			return fmt.Errorf("the watch ended with %d Deployments not ready: %w", len(waiting), context.Cause(ctx))
		}
		if d, ok := event.Object.(*appsv1.Deployment); ok && ready(d) {
			delete(waiting, d.Name)
		}
	}
	return nil
}

// ready reports whether a Deployment is rolled out.
func ready(d *appsv1.Deployment) bool {
	want := ptr.Deref(d.Spec.Replicas, 1)
	return d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas == want && d.Status.AvailableReplicas == want && d.Status.Replicas == want
}
