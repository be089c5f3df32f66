package storage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// Memory keeps records in this process. It is safe for concurrent use.
type Memory struct{ secrets kept }

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{kept{resource: corev1.Resource("secrets"), objects: map[place]*corev1.Secret{}}}
}

func (m *Memory) Kind() string { return "record in memory" }

func (m *Memory) Create(_ context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return m.secrets.create(s)
}

func (m *Memory) Update(_ context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	return m.secrets.update(s)
}

func (m *Memory) Get(_ context.Context, namespace, name string) (*corev1.Secret, error) {
	return m.secrets.get(place{namespace, name})
}

// Delete deletes what the record owns, too.
func (m *Memory) Delete(_ context.Context, namespace, name string, opts metav1.DeleteOptions) error {
	return m.secrets.delete(place{namespace, name}, opts)
}

func (m *Memory) List(_ context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error) {
	items, err := m.secrets.list(namespace, opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	out := &corev1.SecretList{}
	for _, s := range items {
		out.Items = append(out.Items, *s)
	}
	return out, nil
}

func (m *Memory) ListMeta(_ context.Context, namespace string, opts metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	items, err := m.secrets.list(namespace, opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	out := &metav1.PartialObjectMetadataList{}
	for _, s := range items {
		out.Items = append(out.Items, metav1.PartialObjectMetadata{ObjectMeta: s.ObjectMeta})
	}
	return out, nil
}

type place struct{ namespace, name string }

// kept are objects of one kind, handled as the API server does.
type kept struct {
	resource schema.GroupResource

	mu      sync.Mutex
	objects map[place]*corev1.Secret
	version int
}

func (k *kept) create(o *corev1.Secret) (*corev1.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := place{o.GetNamespace(), o.GetName()}
	if k.objects[at] != nil {
		return nil, apierrors.NewAlreadyExists(k.resource, at.name)
	}
	o = o.DeepCopy()
	o.SetUID(uuid.NewUUID())
	o.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
	return k.put(at, o), nil
}

func (k *kept) update(o *corev1.Secret) (*corev1.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := place{o.GetNamespace(), o.GetName()}
	have := k.objects[at]
	switch {
	case have == nil:
		return nil, apierrors.NewNotFound(k.resource, at.name)
	case o.GetResourceVersion() != "" && o.GetResourceVersion() != have.GetResourceVersion(), o.GetUID() != "" && o.GetUID() != have.GetUID():
		return nil, apierrors.NewConflict(k.resource, at.name, errors.New("it has changed"))
	}
	o = o.DeepCopy()
	o.SetUID(have.GetUID())
	o.SetCreationTimestamp(have.GetCreationTimestamp())
	return k.put(at, o), nil
}

// put keeps an object, and returns a copy of it.
func (k *kept) put(at place, o *corev1.Secret) *corev1.Secret {
	k.version++
	o.SetResourceVersion(strconv.Itoa(k.version))
	k.objects[at] = o
	return o.DeepCopy()
}

func (k *kept) get(at place) (*corev1.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	have := k.objects[at]
	if have == nil {
		return nil, apierrors.NewNotFound(k.resource, at.name)
	}
	return have.DeepCopy(), nil
}

func (k *kept) delete(at place, opts metav1.DeleteOptions) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	have := k.objects[at]
	if have == nil {
		return apierrors.NewNotFound(k.resource, at.name)
	}
	if p := opts.Preconditions; p != nil && (p.UID != nil && *p.UID != have.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != have.GetResourceVersion()) {
		return apierrors.NewConflict(k.resource, at.name, errors.New("it has changed"))
	}
	delete(k.objects, at)
	for other, o := range k.objects {
		if slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == have.GetUID() }) {
			delete(k.objects, other)
		}
	}
	return nil
}

// list returns copies, by namespace and name.
func (k *kept) list(namespace, selector string) ([]*corev1.Secret, error) {
	matching, err := labels.Parse(selector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []*corev1.Secret
	for _, o := range k.objects {
		if (namespace == "" || o.GetNamespace() == namespace) && matching.Matches(labels.Set(o.GetLabels())) {
			out = append(out, o.DeepCopy())
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Secret) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return out, nil
}
