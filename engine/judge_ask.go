package engine

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// merger merges as the API server's server-side apply does, by its schemas.
// *merge.Merger is one.
type merger interface {
	Merge(ctx context.Context, r merge.Request) (merge.Result, error)
	TakeOver(ctx context.Context, live *unstructured.Unstructured, manager string, former merge.Former) (*unstructured.Unstructured, error)
	Lost(ctx context.Context, live, desired *unstructured.Unstructured, manager string, former []string) ([]merge.Lost, error)
	Schema(ctx context.Context, gvk schema.GroupVersionKind) (diff.Schema, error)
	Forget(gv schema.GroupVersion)
}

// dryRunner asks the API server what a write would do, by requests that write
// nothing.
type dryRunner interface {
	dryRunApply(ctx context.Context, t target, body *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error)
	dryRunPatch(ctx context.Context, t target, mergePatch []byte) (*unstructured.Unstructured, error)
	dryRunResize(ctx context.Context, g claimGrowth) error
	// forgetDiscovery makes the next look-up of a kind ask again.
	forgetDiscovery(ctx context.Context)
}

// lister reads what judging needs beside the plan's own objects.
type lister interface {
	// autoscalers are objects of one kind in a namespace; none if the kind is
	// not served, or may not be listed.
	autoscalers(ctx context.Context, gvk schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error)
	claims(ctx context.Context, namespace string) ([]corev1.PersistentVolumeClaim, error)
	pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error)
	storageClasses(ctx context.Context) ([]storagev1.StorageClass, error)
	volumes(ctx context.Context) ([]corev1.PersistentVolume, error)
	customResources(ctx context.Context, r schema.GroupVersionResource, opts metav1.ListOptions) (*unstructured.UnstructuredList, error)
	// metadata lists objects by their metadata; an empty namespace is all of
	// them.
	metadata(ctx context.Context, r schema.GroupVersionResource, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error)
	// namespacedKinds are the kinds that a namespace can hold, and the APIs that
	// do not respond and may serve more.
	namespacedKinds(ctx context.Context) ([]cluster.Kind, []*cluster.UnavailableError, error)
	// uninstalled reports whether a release has no objects any more; false
	// where that cannot be known.
	uninstalled(ctx context.Context, k Key) (bool, error)
	// revision is a stored revision of a release; nil if it is gone or cannot be
	// read.
	revision(ctx context.Context, k Key, number int) (*storage.Record, error)
}

// apiServer asks the real one.
type apiServer struct{ e *Engine }

func (a apiServer) dryRunApply(ctx context.Context, t target, body *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	return a.e.serverSideApply(ctx, t, body, force, true)
}

func (a apiServer) dryRunPatch(ctx context.Context, t target, patch []byte) (*unstructured.Unstructured, error) {
	return a.e.cluster.Patch(ctx, t.mapping, t.id.Namespace, t.id.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: a.e.opts.FieldManager, DryRun: []string{metav1.DryRunAll}})
}

func (a apiServer) dryRunResize(ctx context.Context, g claimGrowth) error {
	_, err := a.e.resizeClaim(ctx, g, true)
	return err
}

func (a apiServer) forgetDiscovery(ctx context.Context) { a.e.cluster.ForgetDiscovery(ctx) }

func (a apiServer) autoscalers(ctx context.Context, gvk schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error) {
	m, err := a.e.cluster.Known(ctx, gvk)
	if err != nil {
		return nil, fmt.Errorf("find the resource of %s: %w", gvk.Kind, err)
	}
	if m == nil {
		return nil, nil
	}
	list, err := a.e.cluster.Resource(m, namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil, nil // an autoscaler shows as a conflict then
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", m.Resource.Resource, err)
	}
	return list.Items, nil
}

func (a apiServer) claims(ctx context.Context, namespace string) ([]corev1.PersistentVolumeClaim, error) {
	list, err := a.e.cluster.Typed.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func (a apiServer) pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	list, err := a.e.cluster.Typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func (a apiServer) storageClasses(ctx context.Context) ([]storagev1.StorageClass, error) {
	list, err := a.e.cluster.Typed.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func (a apiServer) volumes(ctx context.Context) ([]corev1.PersistentVolume, error) {
	list, err := a.e.cluster.Typed.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func (a apiServer) customResources(ctx context.Context, r schema.GroupVersionResource, opts metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	return a.e.cluster.Dynamic.Resource(r).List(ctx, opts)
}

func (a apiServer) metadata(ctx context.Context, r schema.GroupVersionResource, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	return a.e.cluster.Metadata.Resource(r).Namespace(namespace).List(ctx, opts)
}

func (a apiServer) namespacedKinds(ctx context.Context) ([]cluster.Kind, []*cluster.UnavailableError, error) {
	return a.e.cluster.NamespacedKinds(ctx)
}

func (a apiServer) uninstalled(ctx context.Context, k Key) (bool, error) {
	if k.validate() != nil {
		return false, nil
	}
	metas, err := a.e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the history of release %s: %w", k, err)
	}
	return len(metas) == 0 || metas[len(metas)-1].Status == storage.StatusUninstalled, nil
}

func (a apiServer) revision(ctx context.Context, k Key, number int) (*storage.Record, error) {
	r, err := a.e.store.Get(ctx, k.Namespace, k.Name, number)
	var broken *storage.DecodeError
	if errors.Is(err, storage.ErrNotFound) || errors.As(err, &broken) {
		return nil, nil
	}
	return r, err
}
