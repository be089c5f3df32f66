package storage

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
)

// configMaps keeps each record as a ConfigMap, as Helm does with
// HELM_DRIVER=configmap: the body is a text of its data. What else a record has
// is in its binaryData, which Helm passes over. Records that are read have no
// type: all that they hold can be read without the permission to read Secrets.
type configMaps struct {
	typed    Clients
	metadata metadata.Interface
}

func (b configMaps) Kind() string { return "ConfigMap" }

func (b configMaps) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return asRecord(b.typed.CoreV1().ConfigMaps(s.Namespace).Create(ctx, configMapOf(s), metav1.CreateOptions{FieldManager: fieldManager}))
}

func (b configMaps) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return asRecord(b.typed.CoreV1().ConfigMaps(s.Namespace).Update(ctx, configMapOf(s), metav1.UpdateOptions{}))
}

func (b configMaps) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return asRecord(b.typed.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{}))
}

func (b configMaps) Delete(ctx context.Context, namespace, name string, opts metav1.DeleteOptions) error {
	return b.typed.CoreV1().ConfigMaps(namespace).Delete(ctx, name, opts)
}

func (b configMaps) List(ctx context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error) {
	page, err := b.typed.CoreV1().ConfigMaps(namespace).List(ctx, opts)
	if err != nil {
		return nil, err
	}
	out := &corev1.SecretList{ListMeta: page.ListMeta, Items: make([]corev1.Secret, len(page.Items))}
	for i := range page.Items {
		out.Items[i] = *recordIn(&page.Items[i])
	}
	return out, nil
}

func (b configMaps) ListMeta(ctx context.Context, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	return b.metadata.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace).List(ctx, opts)
}

func configMapOf(s *corev1.Secret) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: *s.ObjectMeta.DeepCopy(), Immutable: s.Immutable, Data: map[string]string{}, BinaryData: map[string][]byte{}}
	for key, data := range s.Data {
		if key == bodyKey {
			out.Data[key] = string(data)
		} else {
			out.BinaryData[key] = data
		}
	}
	return out
}

func asRecord(c *corev1.ConfigMap, err error) (*corev1.Secret, error) {
	if err != nil {
		return nil, err
	}
	return recordIn(c), nil
}

func recordIn(c *corev1.ConfigMap) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: c.ObjectMeta, Immutable: c.Immutable, Data: map[string][]byte{}}
	for key, data := range c.BinaryData {
		out.Data[key] = data
	}
	for key, text := range c.Data {
		out.Data[key] = []byte(text)
	}
	return out
}
