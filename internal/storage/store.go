package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
)

// Store reads and writes revisions. It remembers those that it has read or written
// last, so that a release that has not changed takes no reading of them, and keeps no
// other state. It is safe for concurrent use.
type Store struct {
	backend Backend
	limit   int // maxBody, less in tests
	records *remembered
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
	end := func(string) {}
	if s.writing != nil {
		end = s.writing(namespace, revision)
	}
	got, err := do()
	if err != nil {
		end("")
		return got, err
	}
	if got == nil {
		s.records.drop(namespace, revision)
		end(VersionDeleted)
		return nil, nil
	}
	s.records.set(got)
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
	return &Store{backend: b, limit: maxBody, records: newRemembered()}
}

// Knows reports whether the Store has read or written revisions of a release, all of
// them deployed, and not deleted them since.
func (s *Store) Knows(namespace, name string) bool { return s.records.knows(namespace, name) }

// Placed is the same Store with all releases in one namespace.
func (s *Store) Placed(namespace string) *Store { return In(s.backend, namespace) }

// Create records a new revision. It is the step that one of several deployers
// wins: the others get ErrRevisionExists, or a *ReservedError. After an error that
// leaves the outcome open (a timeout, a lost connection) it can be called again with
// the same record: it knows its own. It can also return ErrTooBig. A record with a
// Mark is then held.
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
		if apierrors.IsNotFound(err) {
			return about(r, ErrRevisionExists)
		}
		if err == nil && (got.Annotations[annotationAttempt] != r.attempt || r.Mark.holder() != "" && !isHeldBy(got.ObjectMeta, r.Mark.Holder)) {
			return existing(got.ObjectMeta, r.Name, r.Revision) // or taken over since
		}
	}
	if err != nil {
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	r.secret, r.lasting, r.continued = withoutBody(got), e.lasting, e.continuation()
	if r.isHeld() {
		r.held = &Held{store: s, secret: got}
	}
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
	h := r.held
	if h == nil {
		h = &Held{store: s}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	got, err := s.update(ctx, r, e, h)
	if apierrors.IsNotFound(err) || errors.Is(err, ErrNotFound) {
		return about(r, ErrNotFound)
	}
	if errors.Is(err, ErrChanged) {
		return about(r, ErrChanged)
	}
	if err != nil {
		return fmt.Errorf("record revision %d: %w", r.Revision, err)
	}
	before := r.continued
	r.secret, r.lasting, r.continued = withoutBody(got), e.lasting, e.continuation()
	if r.held, h.secret = nil, nil; r.isHeld() {
		r.held, h.secret = h, got
	}
	if before != r.continued {
		return s.deleteParts(ctx, r.Namespace, r.Name, r.Revision, before)
	}
	return nil
}

// updates bounds how often an update of a held record is sent again, because its
// mark was renewed by a request whose response was lost.
const updates = 3

// update writes the record as it was read or, if it is held, as its mark was
// renewed since.
func (s *Store) update(ctx context.Context, r *Record, e *encoded, h *Held) (*corev1.Secret, error) {
	next := newSecret(r, e, labelModified, time.Now())
	holder := ""
	if h.secret != nil {
		next.ResourceVersion = h.secret.ResourceVersion
		holder = markIn(h.secret.ObjectMeta).holder()
	}
	for try := 1; ; try++ {
		got, err := s.write(r.Namespace, r.secret.Name, func() (*corev1.Secret, error) { return s.backend.Update(ctx, next) })
		if !apierrors.IsConflict(err) {
			return got, err
		}
		have, err := s.meta(ctx, r.Namespace, r.Name, strconv.Itoa(r.Revision))
		switch {
		case err != nil:
			return nil, err
		case have.UID != r.secret.UID:
			return nil, ErrChanged
		case saysTheSame(have, next.ObjectMeta):
			// It is this very update, sent before by a caller that did not see its
			// response.
			next.ResourceVersion = have.ResourceVersion
			return next, nil
		case try == updates || !isHeldBy(have, holder):
			return nil, ErrChanged
		}
		next.ResourceVersion = have.ResourceVersion
	}
}

// saysTheSame reports whether two records of one revision are the same, by status,
// mark, progress, digest and all else that is in their metadata, but for when and where
// they were written.
func saysTheSame(a, b metav1.ObjectMeta) bool {
	labels := func(o metav1.ObjectMeta) map[string]string {
		out := maps.Clone(o.Labels)
		delete(out, labelModified)
		delete(out, labelNamespace)
		return out
	}
	return maps.Equal(labels(a), labels(b)) && maps.Equal(a.Annotations, b.Annotations)
}

// about says which revision an error is about.
func about(r *Record, err error) error {
	return fmt.Errorf("revision %d of %s/%s: %w", r.Revision, r.Namespace, r.Name, err)
}
