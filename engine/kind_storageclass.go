package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// storageClasses are the StorageClasses as they will be once the release's own
// are applied, read when they are first needed. Safe for concurrent use.
type storageClasses struct {
	once   sync.Once
	err    error
	hidden bool // they may not be listed
	byName map[string]storageClass
}

type storageClass struct {
	isDefault bool // claims that name no class get it
	expands   bool
	own       bool // the release sets it
}

// Annotations that make a class the default; the API server still honours the
// older one.
const (
	annotationDefaultClass     = "storageclass.kubernetes.io/is-default-class"
	annotationBetaDefaultClass = "storageclass.beta.kubernetes.io/is-default-class"
)

func isDefaultClass(annotations map[string]string) bool {
	return annotations[annotationDefaultClass] == "true" || annotations[annotationBetaDefaultClass] == "true"
}

func (j *judge) readClasses(ctx context.Context) (*storageClasses, error) {
	s := j.classes
	s.once.Do(func() {
		list, err := j.lister.storageClasses(ctx)
		if apierrors.IsForbidden(err) {
			s.hidden, err = true, nil
		}
		if err != nil {
			s.err = fmt.Errorf("list StorageClasses: %w", err)
			return
		}
		s.byName = map[string]storageClass{}
		for _, c := range list {
			s.byName[c.Name] = storageClass{isDefault: isDefaultClass(c.Annotations), expands: deref(c.AllowVolumeExpansion)}
		}
		for _, o := range j.objects {
			if o.id.Group != storagev1.GroupName || o.id.Kind != "StorageClass" {
				continue
			}
			if o.desired == nil {
				delete(s.byName, o.id.Name)
				continue
			}
			expands, _, _ := unstructured.NestedBool(o.desired.Object, "allowVolumeExpansion")
			s.byName[o.id.Name] = storageClass{isDefault: isDefaultClass(o.desired.GetAnnotations()), expands: expands, own: true}
		}
	})
	return s, s.err
}

func (s *storageClasses) hasDefault() bool {
	for _, c := range s.byName {
		if c.isDefault {
			return true
		}
	}
	return false
}

// findings are what a rule of a kind adds to a verdict.
type findings struct {
	problems []Problem
	warnings []string
	related  []diff.Change
}

// checkStorage looks at the claims that applying creates, which stay pending
// for ever without their class, and at those that scaling down leaves behind.
func (j *judge) checkStorage(ctx context.Context, in intended, f prediction, change diff.Change) (findings, error) {
	if in.live != nil {
		if f.merged == nil {
			return findings{}, nil
		}
		related, err := j.claimsOfScaledDown(ctx, in.object, f.merged, change)
		return findings{related: related}, err
	}
	switch {
	case in.id.Group == "" && in.id.Kind == "PersistentVolumeClaim":
		return j.checkClass(ctx, in.object, f.body.Object, "it")
	case isStatefulSet(in.id):
		var out findings
		for _, t := range claimTemplates(f.body) {
			found, err := j.checkClass(ctx, in.object, t.object, "its claim template "+t.name)
			if err != nil {
				return findings{}, err
			}
			out.problems, out.warnings = append(out.problems, found.problems...), append(out.warnings, found.warnings...)
		}
		return out, nil
	}
	return findings{}, nil
}

func (j *judge) checkClass(ctx context.Context, o *object, claim map[string]any, who string) (findings, error) {
	name, named, _ := unstructured.NestedString(claim, "spec", "storageClassName")
	if beta, ok, _ := unstructured.NestedString(claim, "metadata", "annotations", corev1.BetaStorageClassAnnotation); ok {
		name, named = beta, true
	}
	volume, _, _ := unstructured.NestedString(claim, "spec", "volumeName")
	if volume != "" || named && name == "" {
		return findings{}, nil // a manually created volume
	}
	classes, err := j.readClasses(ctx)
	if err != nil || classes.hidden {
		return findings{}, err
	}
	_, exists := classes.byName[name]
	if named && exists || !named && classes.hasDefault() {
		return findings{}, nil
	}
	if manual, err := j.hasVolume(ctx, o, name); manual || err != nil {
		return findings{}, err
	}
	if named {
		// Volumes may be created later, under a class that is only a name.
		return findings{warnings: []string{fmt.Sprintf("%s names StorageClass %s, which does not exist: it stays pending until the class, or a volume for it, is created", who, name)}}, nil
	}
	return findings{problems: []Problem{newProblem(ProblemStorageClass, o.id, who+" names no StorageClass, and the cluster has no default one, so it would stay pending",
		fmt.Sprintf("set storageClassName; or mark a class as the default, by its annotation %s: \"true\"; or, for a manually created volume, set storageClassName to \"\"", annotationDefaultClass))}}, nil
}

// hasVolume reports whether there is a volume that a claim of a class without
// a provisioner could be bound to.
func (j *judge) hasVolume(ctx context.Context, claim *object, class string) (bool, error) {
	for _, o := range j.objects {
		if o.desired == nil || o.id.Group != "" || o.id.Kind != "PersistentVolume" {
			continue
		}
		if name, _, _ := unstructured.NestedString(o.desired.Object, "spec", "storageClassName"); name == class {
			return true, nil
		}
	}
	volumes, err := j.lister.volumes(ctx)
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list PersistentVolumes: %w", err)
	}
	return slices.ContainsFunc(volumes, func(v corev1.PersistentVolume) bool {
		reserved := v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == claim.id.Namespace
		return v.Spec.StorageClassName == class && (reserved || v.Status.Phase == corev1.VolumeAvailable)
	}), nil
}
