package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// storageClasses are the StorageClasses as they will be once the release's own
// are applied, read when they are first asked for. Safe for concurrent use.
type storageClasses struct {
	once   sync.Once
	err    error
	hidden bool // they may not be listed
	byName map[string]storageClass
}

type storageClass struct {
	standard bool // claims that name no class get it
	expands  bool
	own      bool // the release sets it
}

// annotationBetaDefaultFor is the annotationDefaultFor of earlier days, which
// the API server still follows.
const annotationBetaDefaultFor = "storageclass.beta.kubernetes.io/is-default-class"

func isStandard(annotations map[string]string) bool {
	return annotations[annotationDefaultFor] == "true" || annotations[annotationBetaDefaultFor] == "true"
}

func (pl *planning) classes(ctx context.Context) (*storageClasses, error) {
	s := &pl.storage
	s.once.Do(func() {
		var list *storagev1.StorageClassList
		list, s.err = pl.e.c.typed.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(s.err) {
			s.hidden, s.err, list = true, nil, &storagev1.StorageClassList{}
		}
		if s.err != nil {
			s.err = fmt.Errorf("list StorageClasses: %w", s.err)
			return
		}
		s.byName = map[string]storageClass{}
		for _, c := range list.Items {
			s.byName[c.Name] = storageClass{standard: isStandard(c.Annotations), expands: deref(c.AllowVolumeExpansion)}
		}
		for _, it := range pl.items {
			if it.object.Group != storagev1.GroupName || it.object.Kind != "StorageClass" {
				continue
			}
			if it.desired == nil {
				delete(s.byName, it.object.Name)
				continue
			}
			expands, _, _ := unstructured.NestedBool(it.desired.Object, "allowVolumeExpansion")
			s.byName[it.object.Name] = storageClass{standard: isStandard(it.desired.GetAnnotations()), expands: expands, own: true}
		}
	})
	return s, s.err
}

func (s *storageClasses) hasStandard() bool {
	for _, c := range s.byName {
		if c.standard {
			return true
		}
	}
	return false
}

// checkStorage says of claims that are about to be made whether their class is
// there: without one they would stay pending for ever.
func (pl *planning) checkStorage(ctx context.Context, it *item, f forecast) error {
	if it.live != nil {
		if f.merged == nil {
			return nil
		}
		return pl.claimsOfScaledDown(ctx, it, f.merged)
	}
	switch {
	case it.object.Group == "" && it.object.Kind == "PersistentVolumeClaim":
		return pl.checkClass(ctx, it, it.desired.Object, "it")
	case isStatefulSet(it.object):
		for _, t := range claimTemplates(it.desired) {
			if err := pl.checkClass(ctx, it, t.object, "its claim template "+t.name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (pl *planning) checkClass(ctx context.Context, it *item, claim map[string]any, who string) error {
	name, named, _ := unstructured.NestedString(claim, "spec", "storageClassName")
	if beta, ok, _ := unstructured.NestedString(claim, "metadata", "annotations", corev1.BetaStorageClassAnnotation); ok {
		name, named = beta, true
	}
	volume, _, _ := unstructured.NestedString(claim, "spec", "volumeName")
	if volume != "" || named && name == "" {
		return nil // a volume made by hand
	}
	classes, err := pl.classes(ctx)
	if err != nil || classes.hidden {
		return err
	}
	_, there := classes.byName[name]
	if named && there || !named && classes.hasStandard() {
		return nil
	}
	if made, err := pl.volumeByHand(ctx, it, name); made || err != nil {
		return err
	}
	if named {
		// Volumes made by hand may follow, under a class that is only a name.
		it.change.Warnings = append(it.change.Warnings, fmt.Sprintf("%s names StorageClass %s, which does not exist: it stays pending until somebody makes that, or a volume for it", who, name))
		return nil
	}
	it.problem(ProblemStorageClass, who+" names no StorageClass, and the cluster has no default one, so it would stay pending",
		fmt.Sprintf("set storageClassName; or mark a class as the default, by its annotation %s: \"true\"; or, for a volume made by hand, set storageClassName to \"\"", annotationDefaultFor))
	return nil
}

// volumeByHand says whether there is a volume that a claim of a class without
// a provisioner could be bound to.
func (pl *planning) volumeByHand(ctx context.Context, claim *item, class string) (bool, error) {
	for _, it := range pl.items {
		if it.desired == nil || it.object.Group != "" || it.object.Kind != "PersistentVolume" {
			continue
		}
		if name, _, _ := unstructured.NestedString(it.desired.Object, "spec", "storageClassName"); name == class {
			return true, nil
		}
	}
	volumes, err := pl.e.c.typed.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list PersistentVolumes: %w", err)
	}
	return slices.ContainsFunc(volumes.Items, func(v corev1.PersistentVolume) bool {
		kept := v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == claim.object.Namespace
		return v.Spec.StorageClassName == class && (kept || v.Status.Phase == corev1.VolumeAvailable)
	}), nil
}
