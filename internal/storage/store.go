package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

// listPage bounds one page of a listing.
const listPage = 500

// Store reads and writes revisions. It keeps no state and is safe for
// concurrent use.
type Store struct {
	secrets  kubernetes.Interface
	metadata metadata.Interface
}

// New makes a Store over the clients of one cluster.
func New(secrets kubernetes.Interface, metadata metadata.Interface) *Store {
	return &Store{secrets, metadata}
}

// Create records a new revision. It answers ErrRevisionExists if that
// revision is there already.
func (s *Store) Create(ctx context.Context, r *Record) error {
	body, err := encode(r)
	if err != nil {
		return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, err)
	}
	got, err := s.secrets.CoreV1().Secrets(r.Namespace).Create(ctx, newSecret(r, body, labelCreated, time.Now()), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, ErrRevisionExists)
	}
	if err != nil {
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	r.resourceVersion = got.ResourceVersion
	return nil
}

// Update records what has become of a revision that was created or read with
// r. It answers ErrChanged if somebody else has changed it since.
func (s *Store) Update(ctx context.Context, r *Record) error {
	body, err := encode(r)
	if err != nil {
		return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, err)
	}
	got, err := s.secrets.CoreV1().Secrets(r.Namespace).Update(ctx, newSecret(r, body, labelModified, time.Now()), metav1.UpdateOptions{})
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, ErrChanged)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, ErrNotFound)
	case err != nil:
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	r.resourceVersion = got.ResourceVersion
	return nil
}

// Get reads one revision. It answers ErrNotFound, or a *DecodeError.
func (s *Store) Get(ctx context.Context, namespace, name string, revision int) (*Record, error) {
	secret, err := s.secrets.CoreV1().Secrets(namespace).Get(ctx, secretName(name, revision), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("revision %d of %s/%s: %w", revision, namespace, name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", revision, err)
	}
	return read(secret)
}

func read(secret *corev1.Secret) (*Record, error) {
	r, err := decode(secret.Data[bodyKey])
	if err != nil {
		return nil, &DecodeError{Namespace: secret.Namespace, Secret: secret.Name, Err: err}
	}
	if secret.Name != secretName(r.Name, r.Revision) {
		return nil, &DecodeError{secret.Namespace, secret.Name, fmt.Errorf("the body is revision %d of %s", r.Revision, r.Name)}
	}
	r.Namespace = secret.Namespace
	r.resourceVersion = secret.ResourceVersion
	if cause, ok := secret.Annotations[annotationCause]; ok {
		r.Cause, r.Description = cause, secret.Annotations[annotationDescription]
	}
	for k, v := range secret.Labels {
		if !systemLabel(k) {
			if r.Labels == nil {
				r.Labels = map[string]string{}
			}
			r.Labels[k] = v
		}
	}
	return r, nil
}

// HistoryMeta lists the revisions of one release, oldest first, without
// their bodies.
func (s *Store) HistoryMeta(ctx context.Context, namespace, name string) ([]Meta, error) {
	return s.list(ctx, namespace, labelOwner+"="+ownerHelm+","+labelName+"="+name)
}

// ListMeta lists all revisions in a namespace, or in all ("").
func (s *Store) ListMeta(ctx context.Context, namespace string) ([]Meta, error) {
	return s.list(ctx, namespace, labelOwner+"="+ownerHelm)
}

func (s *Store) list(ctx context.Context, namespace, selector string) ([]Meta, error) {
	client := s.metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace)
	opts := metav1.ListOptions{LabelSelector: selector, Limit: listPage}
	var out []Meta
	for {
		page, err := client.List(ctx, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			opts.Continue, out = "", nil // the pages so far are too old to go on from
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list revisions: %w", err)
		}
		for _, item := range page.Items {
			if m, ok := metaOf(item.ObjectMeta); ok {
				out = append(out, m)
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			break
		}
	}
	slices.SortFunc(out, func(a, b Meta) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Revision, b.Revision))
	})
	return out, nil
}

// Delete removes one revision; one that is gone already is no error.
func (s *Store) Delete(ctx context.Context, namespace, name string, revision int) error {
	err := s.secrets.CoreV1().Secrets(namespace).Delete(ctx, secretName(name, revision), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete revision %d: %w", revision, err)
	}
	return nil
}

// Trim deletes the oldest revisions beyond keep, never the newest and never
// one that is deployed.
func (s *Store) Trim(ctx context.Context, namespace, name string, keep int) error {
	metas, err := s.HistoryMeta(ctx, namespace, name)
	if err != nil {
		return err
	}
	excess := len(metas) - max(keep, 1)
	for _, m := range metas {
		if excess <= 0 {
			return nil
		}
		if m.Status == StatusDeployed || m.Revision == metas[len(metas)-1].Revision {
			continue
		}
		if err := s.Delete(ctx, namespace, name, m.Revision); err != nil {
			return err
		}
		excess--
	}
	return nil
}
