package engine

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// nullsOf is where null is a value in an object: nowhere in those of built-in
// kinds, and in custom resources where the schema of their definition says
// nullable. What the release brings or changes itself counts before what is
// served.
func (r *reader) nullsOf(ctx context.Context, u *unstructured.Unstructured, at target) (*merge.Nullable, error) {
	gvk := u.GroupVersionKind()
	if diff.IsBuiltinGroup(gvk.Group) || !hasNull(u.Object) {
		return nil, nil
	}
	if kind, ok := r.brings[gvk.GroupKind()]; ok && !kind.unchanged {
		return merge.NullableOf(kind.schemas[gvk.Version]), nil
	}
	nulls, err := r.e.cluster.Merger.Nullable(ctx, gvk)
	var undecided *merge.UndecidedError
	if errors.As(err, &undecided) {
		// The API server publishes the schema of a new kind a moment later.
		r.e.cluster.Merger.Forget(gvk.GroupVersion())
		return r.nullsOfDefinition(ctx, at)
	}
	return nulls, err
}

// nullsOfDefinition is the same by the live definition of a kind; nowhere if
// there is none, or if it may not be read.
func (r *reader) nullsOfDefinition(ctx context.Context, at target) (*merge.Nullable, error) {
	crd, err := r.e.cluster.Dynamic.Resource(definitionsGVR).Get(ctx, at.mapping.Resource.GroupResource().String(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the definition of %s: %w", at.id.Kind, err)
	}
	return merge.NullableOf(kindsDefinedBy(crd)[at.groupKind()].schemas[at.mapping.Resource.Version]), nil
}
