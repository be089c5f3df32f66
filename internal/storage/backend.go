package storage

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
)

// Backend keeps named records with labels, each in the form of a Secret, and
// behaves as the API server does: creating is atomic, updates are checked against
// the resourceVersion, errors are those of apierrors. It is safe for concurrent
// use.
type Backend interface {
	Create(context.Context, *corev1.Secret) (*corev1.Secret, error)
	Update(context.Context, *corev1.Secret) (*corev1.Secret, error)
	Get(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	Delete(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error
	// List returns a page; ListMeta one without data. An empty namespace stands
	// for all.
	List(ctx context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error)
	ListMeta(ctx context.Context, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error)
	// Kind is that of a record, for owner references and for people.
	Kind() string
}

// secrets keeps each record as a Secret, as Helm does by default.
type secrets struct {
	typed    Clients
	metadata metadata.Interface
}

func (b secrets) Kind() string { return "Secret" }

func (b secrets) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return b.typed.CoreV1().Secrets(s.Namespace).Create(ctx, s, metav1.CreateOptions{FieldManager: fieldManager})
}

func (b secrets) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return b.typed.CoreV1().Secrets(s.Namespace).Update(ctx, s, metav1.UpdateOptions{})
}

func (b secrets) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return b.typed.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (b secrets) Delete(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error {
	return b.typed.CoreV1().Secrets(namespace).Delete(ctx, name, opts)
}

func (b secrets) List(ctx context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error) {
	return b.typed.CoreV1().Secrets(namespace).List(ctx, opts)
}

func (b secrets) ListMeta(ctx context.Context, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	return b.metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).List(ctx, opts)
}
