package storage

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// labelNamespace on a record names the namespace of its release, where that is
// another one. It is a label because Helm keeps labels.
const labelNamespace = "fairlead.dev/namespace"

// placed keeps the records of all releases in one namespace. To its callers they
// are in that of their release; one without labelNamespace belongs to a release in
// the namespace itself, as Helm has it.
type placed struct {
	Backend
	namespace string
}

// TakenError is returned where two releases of one name, in two namespaces, would
// be kept in one.
type TakenError struct{ Name, Namespace, Other string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s in namespace %s is that of a release in namespace %s", e.Name, e.Namespace, e.Other)
}

// Create refuses a revision where any other one of its release's name is that of a
// release in another namespace: the numbers alone do not show it, since old revisions
// are trimmed. Of two first revisions at once only one is created, since both have one
// name.
func (b placed) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	if s.Labels[labelOwner] == ownerHelm {
		same, err := b.Backend.ListMeta(ctx, b.namespace, metav1.ListOptions{LabelSelector: labelOwner + "=" + ownerHelm + "," + labelName + "=" + s.Labels[labelName]})
		if err != nil {
			return nil, err
		}
		for i := range same.Items {
			if other := b.releaseOf(&same.Items[i]); other != s.Namespace {
				return nil, &TakenError{same.Items[i].Name, b.namespace, other}
			}
		}
	}
	return b.outward(b.Backend.Create(ctx, b.inward(s)))
}

func (b placed) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return b.outward(b.Backend.Update(ctx, b.inward(s)))
}

func (b placed) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	got, err := b.outward(b.Backend.Get(ctx, b.namespace, name))
	if err == nil && got.Namespace != namespace {
		return nil, apierrors.NewNotFound(corev1.Resource("secrets"), name)
	}
	return got, err
}

func (b placed) Delete(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error {
	if opts.Preconditions == nil { // or its UID was listed
		got, err := b.Get(ctx, namespace, name)
		if err != nil {
			return err
		}
		opts.Preconditions = &metav1.Preconditions{UID: &got.UID}
	}
	return b.Backend.Delete(ctx, b.namespace, name, opts)
}

func (b placed) List(ctx context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error) {
	page, err := b.Backend.List(ctx, b.namespace, opts)
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		page.Items[i].Namespace = b.releaseOf(&page.Items[i])
	}
	page.Items = slices.DeleteFunc(page.Items, func(s corev1.Secret) bool { return namespace != "" && s.Namespace != namespace })
	return page, nil
}

func (b placed) ListMeta(ctx context.Context, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	page, err := b.Backend.ListMeta(ctx, b.namespace, opts)
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		page.Items[i].Namespace = b.releaseOf(&page.Items[i])
	}
	page.Items = slices.DeleteFunc(page.Items, func(o metav1.PartialObjectMetadata) bool { return namespace != "" && o.Namespace != namespace })
	return page, nil
}

func (b placed) releaseOf(o metav1.Object) string {
	if namespace := o.GetLabels()[labelNamespace]; namespace != "" {
		return namespace
	}
	return b.namespace
}

// inward is a record as it is kept.
func (b placed) inward(s *corev1.Secret) *corev1.Secret {
	out := s.DeepCopy()
	delete(out.Labels, labelNamespace)
	if s.Namespace != b.namespace {
		metav1.SetMetaDataLabel(&out.ObjectMeta, labelNamespace, s.Namespace)
	}
	out.Namespace = b.namespace
	return out
}

// outward is a kept record as its callers see it.
func (b placed) outward(s *corev1.Secret, err error) (*corev1.Secret, error) {
	if err == nil {
		s.Namespace = b.releaseOf(s)
	}
	return s, err
}
