package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
)

// Store reads and writes revisions. It keeps no state and is safe for
// concurrent use.
type Store struct {
	secrets  kubernetes.Interface
	metadata metadata.Interface
	limit    int // maxBody, less in tests
}

// New makes a Store over the clients of one cluster.
func New(secrets kubernetes.Interface, metadata metadata.Interface) *Store {
	return &Store{secrets, metadata, maxBody}
}

// Create records a new revision. It is the step that one of several deployers
// wins: the others get ErrRevisionExists. After an error that leaves the
// outcome open (a timeout, a lost connection) it can be called again with the
// same record: it knows its own. It can also answer ErrTooBig.
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
	secrets := s.secrets.CoreV1().Secrets(r.Namespace)
	got, err := secrets.Create(ctx, newSecret(&fresh, e, labelCreated, time.Now()), metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		got, err = secrets.Get(ctx, secretName(r.Name, r.Revision), metav1.GetOptions{})
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
// r. It answers ErrChanged if somebody else has changed it since, ErrNotFound
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
	secrets := s.secrets.CoreV1().Secrets(r.Namespace)
	got, err := secrets.Update(ctx, newSecret(r, e, labelModified, time.Now()), metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		// It may be this very update, sent before by a caller that did not see
		// its answer.
		got, err = secrets.Get(ctx, r.secret.Name, metav1.GetOptions{})
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

// Get reads one revision. It answers ErrNotFound, or a *DecodeError.
func (s *Store) Get(ctx context.Context, namespace, name string, revision int) (*Record, error) {
	seen := ""
	for {
		secret, err := s.secrets.CoreV1().Secrets(namespace).Get(ctx, secretName(name, revision), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("revision %d of %s/%s: %w", revision, namespace, name, ErrNotFound)
		}
		if err != nil {
			return nil, fmt.Errorf("read revision %d: %w", revision, err)
		}
		r, err := s.read(ctx, secret)
		// Between the Secret and its parts a writer may have moved on to others.
		if !errors.Is(err, ErrTorn) || secret.ResourceVersion == seen {
			return r, err
		}
		seen = secret.ResourceVersion
	}
}

func (s *Store) read(ctx context.Context, secret *corev1.Secret) (*Record, error) {
	broken := func(err error) error { return &DecodeError{secret.Namespace, secret.Name, err} }
	doc, manifest, lasting, err := unpack(secret.Data[bodyKey])
	if err != nil {
		return nil, broken(err)
	}
	r, err := recordOf(doc, manifest)
	if err != nil {
		return nil, broken(err)
	}
	if secret.Name != secretName(r.Name, r.Revision) {
		return nil, broken(fmt.Errorf("the body is revision %d of %s", r.Revision, r.Name))
	}
	c, continued, err := continuationOf(manifest)
	if err != nil {
		return nil, broken(err)
	}
	if continued {
		tail, err := s.readParts(ctx, secret.Namespace, r.Name, r.Revision, c)
		if errors.Is(err, ErrTorn) {
			return nil, broken(err)
		}
		if err != nil {
			return nil, err
		}
		if doc, manifest, err = joined(doc, tail); err != nil {
			return nil, broken(err)
		}
		if r, err = recordOf(doc, manifest); err != nil {
			return nil, broken(err)
		}
		r.continued = c
	}
	// Helm drops the annotation when it writes the body.
	if told, ok := secret.Annotations[annotationDigest]; ok && told != r.Digest() {
		return nil, broken(ErrDigest)
	}
	r.Namespace, r.lasting = secret.Namespace, lasting
	r.secret = withoutBody(secret)
	r.attempt, r.Recorder = secret.Annotations[annotationAttempt], recorder(secret.ManagedFields)
	r.Unproven = secret.Annotations[annotationUnproven] != ""
	r.ApplySet = secret.Annotations[annotationApplySet] != ""
	r.splitCause(secret.Annotations)
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

// Last reads the newest revision. It answers ErrNotFound if there is none.
func (s *Store) Last(ctx context.Context, namespace, name string) (*Record, error) {
	return s.newest(ctx, namespace, name, func(Meta) bool { return true })
}

// Deployed reads the newest revision that is deployed. It answers ErrNotFound
// if there is none.
func (s *Store) Deployed(ctx context.Context, namespace, name string) (*Record, error) {
	return s.newest(ctx, namespace, name, func(m Meta) bool { return m.Status == StatusDeployed })
}

func (s *Store) newest(ctx context.Context, namespace, name string, want func(Meta) bool) (*Record, error) {
	metas, err := s.HistoryMeta(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(metas) {
		if want(m) {
			return s.Get(ctx, namespace, name, m.Revision)
		}
	}
	return nil, fmt.Errorf("release %s/%s: %w", namespace, name, ErrNotFound)
}

// Entry is one revision of a history.
type Entry struct {
	Meta   Meta    // what labels and annotations tell
	Record *Record // nil if Err is set
	Err    error   // a *DecodeError
}

// History yields the revisions of one release, oldest first, each read when it
// is asked for. One that cannot be decoded is yielded with its error and does
// not end the history; any other error is the second value, and the last.
func (s *Store) History(ctx context.Context, namespace, name string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		metas, err := s.HistoryMeta(ctx, namespace, name)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for _, m := range metas {
			r, err := s.Get(ctx, namespace, name, m.Revision)
			var broken *DecodeError
			switch {
			case errors.Is(err, ErrNotFound): // deleted in the meantime
				continue
			case errors.As(err, &broken):
				err = nil
				if !yield(Entry{Meta: m, Err: broken}, nil) {
					return
				}
				continue
			case err != nil:
				yield(Entry{Meta: m}, err)
				return
			}
			if !yield(Entry{Meta: m, Record: r}, nil) {
				return
			}
		}
	}
}
