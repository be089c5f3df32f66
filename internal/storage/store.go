package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
)

// Store reads and writes revisions. It keeps no state and is safe for
// concurrent use.
type Store struct {
	backend Backend
	limit   int // maxBody, less in tests
	writing func(namespace, revision string) func(version string)
}

// VersionDeleted is what OnWrite reports of a revision that was deleted.
const VersionDeleted = "deleted"

// OnWrite is the same Store, which calls begin before it writes a revision, with
// the name of its record, and what begin returns afterwards, with the
// resourceVersion, VersionDeleted, or "" if nothing was written.
func (s *Store) OnWrite(begin func(namespace, revision string) func(version string)) *Store {
	out := *s
	out.writing = begin
	return &out
}

// write does a write that OnWrite reports.
func (s *Store) write(namespace, revision string, do func() (*corev1.Secret, error)) (*corev1.Secret, error) {
	if s.writing == nil {
		return do()
	}
	end := s.writing(namespace, revision)
	got, err := do()
	if err != nil {
		end("")
		return got, err
	}
	if got == nil {
		end(VersionDeleted)
		return nil, nil
	}
	end(got.ResourceVersion)
	return got, nil
}

// Clients are those of the core group, as client-go's clientset has them.
type Clients interface {
	CoreV1() typedcorev1.CoreV1Interface
}

// New makes a Store of Secrets, over the clients of one cluster.
func New(typed Clients, metadata metadata.Interface) *Store {
	return In(secrets{typed, metadata}, "")
}

// NewConfigMaps makes a Store of ConfigMaps.
func NewConfigMaps(typed Clients, metadata metadata.Interface) *Store {
	return In(configMaps{typed, metadata}, "")
}

// In makes a Store over a Backend. Where namespace is not empty, all releases are
// kept in it, and not in their own.
func In(b Backend, namespace string) *Store {
	if namespace != "" {
		b = placed{b, namespace}
	}
	return &Store{backend: b, limit: maxBody}
}

// Placed is the same Store with all releases in one namespace.
func (s *Store) Placed(namespace string) *Store { return In(s.backend, namespace) }

// Create records a new revision. It is the step that one of several deployers
// wins: the others get ErrRevisionExists. After an error that leaves the
// outcome open (a timeout, a lost connection) it can be called again with the
// same record: it knows its own. It can also return ErrTooBig.
func (s *Store) Create(ctx context.Context, r *Record) error {
	e, err := encode(r, s.limit)
	if err != nil {
		return about(r, err)
	}
	if r.attempt == "" {
		r.attempt = rand.Text()
	}
	if err := s.writeParts(ctx, r, e); err != nil {
		return err
	}
	fresh := *r
	fresh.secret = nil // of an earlier try
	name := secretName(r.Name, r.Revision)
	got, err := s.write(r.Namespace, name, func() (*corev1.Secret, error) {
		return s.backend.Create(ctx, newSecret(&fresh, e, labelCreated, time.Now()))
	})
	if apierrors.IsAlreadyExists(err) {
		got, err = s.backend.Get(ctx, r.Namespace, name)
		if apierrors.IsNotFound(err) || err == nil && got.Annotations[annotationAttempt] != r.attempt {
			return about(r, ErrRevisionExists)
		}
	}
	if err != nil {
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	r.secret, r.lasting, r.continued = withoutBody(got), e.lasting, e.continuation()
	return s.ownParts(ctx, r)
}

// Update records what has become of a revision that was created or read with
// r. It returns ErrChanged if another client has changed it since, ErrNotFound
// if it is gone, ErrTooBig. Members of its JSON that this package does not
// know, and what others have set on the Secret, stay as they are.
func (s *Store) Update(ctx context.Context, r *Record) error {
	if r.secret == nil {
		return about(r, fmt.Errorf("%w: the record was neither created nor read", ErrNotFound))
	}
	e, err := encode(r, s.limit)
	if err != nil {
		return about(r, err)
	}
	if err := s.writeParts(ctx, r, e); err != nil {
		return err
	}
	got, err := s.write(r.Namespace, r.secret.Name, func() (*corev1.Secret, error) {
		return s.backend.Update(ctx, newSecret(r, e, labelModified, time.Now()))
	})
	if apierrors.IsConflict(err) {
		// It may be this very update, sent before by a caller that did not see
		// its response.
		got, err = s.backend.Get(ctx, r.Namespace, r.secret.Name)
		if err == nil && (got.UID != r.secret.UID || !bytes.Equal(got.Data[bodyKey], e.body) || got.Labels[labelStatus] != string(r.Status)) {
			return about(r, ErrChanged)
		}
	}
	if apierrors.IsNotFound(err) {
		return about(r, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	before := r.continued
	r.secret, r.lasting, r.continued = withoutBody(got), e.lasting, e.continuation()
	if before != r.continued {
		return s.deleteParts(ctx, r.Namespace, r.Name, r.Revision, before)
	}
	return nil
}

// about says which revision an error is about.
func about(r *Record, err error) error {
	return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, err)
}
