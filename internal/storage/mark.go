package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// annotationHolder on a revision without an outcome is its Mark. One without a
// holder is left by engines that write marks, where nobody works on the revision.
const annotationHolder = annotationPrefix + "holder"

// ownerReserved labels a Secret that takes the name of the next revision and is
// none: Inventory lists it apart, and nothing else does.
const ownerReserved = "fairlead.dev-reserved"

// Mark says that a process works on a release, in the revision that it has
// recorded, or in a reserved one.
type Mark struct {
	// Holder is the process, and unique to its operation. Empty: nobody.
	Holder string
	// Duration is how long the mark counts after it was written last, in whole
	// seconds.
	Duration time.Duration
	// Renewed is when it was written last, by the holder's clock.
	Renewed time.Time
	// Waiting: the holder has written everything, and may be superseded.
	Waiting bool
}

// storedMark is a Mark in its annotation.
type storedMark struct {
	Holder  string    `json:"holder,omitempty"`
	Seconds int64     `json:"seconds,omitempty"`
	Renewed time.Time `json:"renewed,omitzero"`
	Waiting bool      `json:"waiting,omitempty"`
}

func (m Mark) text() string {
	text, _ := json.Marshal(storedMark{m.Holder, int64(m.Duration / time.Second), m.Renewed.UTC(), m.Waiting}) // which has texts, numbers and times only
	return string(text)
}

// markIn reads the mark of a record; nil: there is none, or none that an engine
// has written.
func markIn(o metav1.ObjectMeta) *Mark {
	text, ok := o.Annotations[annotationHolder]
	var m storedMark
	if !ok || len(text) > maxAnnotation || json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	seconds := min(max(m.Seconds, 0), int64(24*time.Hour/time.Second))
	return &Mark{m.Holder, time.Duration(seconds) * time.Second, m.Renewed, m.Waiting}
}

// WatchedMark is the holder in the metadata of a record, the whole mark as it is
// stored, and a text of all else that is written into them.
func WatchedMark(o metav1.ObjectMeta) (holder, mark, rest string) {
	mark = o.Annotations[annotationHolder]
	others := maps.Clone(o.Annotations)
	delete(others, annotationHolder)
	text, _ := json.Marshal([]map[string]string{o.Labels, others}) // which has texts only
	return markIn(o).holder(), mark, string(text)
}

// Claim is the mark in a stored record, as it was read.
type Claim struct {
	Namespace, Name string // of the release
	Revision        int
	Mark            Mark
	// Reserved: the revision is none, and only its name is taken.
	Reserved bool
	version  string
	uid      types.UID
}

// Version changes whenever the record is written.
func (c Claim) Version() string { return c.version }

// ReservedError is returned where the number of a revision is taken by an
// operation that records none of its own.
type ReservedError struct{ Claim Claim }

func (e *ReservedError) Error() string {
	return fmt.Sprintf("revision %d of %s/%s is reserved", e.Claim.Revision, e.Claim.Namespace, e.Claim.Name)
}

// Claim is that of the record as it was read or written.
func (r *Record) Claim() Claim {
	c := Claim{Namespace: r.Namespace, Name: r.Name, Revision: r.Revision}
	if r.Mark != nil {
		c.Mark = *r.Mark
	}
	if r.secret != nil {
		c.version = r.secret.ResourceVersion
	}
	return c
}

// Claim reads the mark in a revision, or in what has reserved it. It returns
// ErrNotFound if there is neither.
func (s *Store) Claim(ctx context.Context, namespace, name string, revision int) (Claim, error) {
	o, err := s.meta(ctx, namespace, name, strconv.Itoa(revision))
	if err != nil {
		return Claim{}, err
	}
	return claimOf(o, name, revision), nil
}

// meta reads the metadata of a revision, or of what has reserved it, by a list: a
// permission to read it takes nothing more, and the body stays where it is. It
// returns ErrNotFound if there is neither.
func (s *Store) meta(ctx context.Context, namespace, name, revision string) (metav1.ObjectMeta, error) {
	page, err := s.backend.ListMeta(ctx, namespace, metav1.ListOptions{LabelSelector: labelName + "=" + name + "," + labelRevision + "=" + revision})
	if err != nil {
		return metav1.ObjectMeta{}, fmt.Errorf("read revision %s: %w", revision, err)
	}
	for _, o := range page.Items {
		if o.Name == revisionPrefix+name+".v"+revision {
			return o.ObjectMeta, nil
		}
	}
	return metav1.ObjectMeta{}, fmt.Errorf("revision %s of %s/%s: %w", revision, namespace, name, ErrNotFound)
}

func claimOf(o metav1.ObjectMeta, name string, revision int) Claim {
	c := Claim{Namespace: o.Namespace, Name: name, Revision: revision, Reserved: o.Labels[labelOwner] == ownerReserved, version: o.ResourceVersion, uid: o.UID}
	if m := markIn(o); m != nil {
		c.Mark = *m
	}
	return c
}

// Reserve takes the name of the next revision, for an operation that records none
// and works on after, the newest one that can be read. It returns ErrRevisionExists if
// there is that revision, and a *ReservedError if another operation has reserved it.
// It goes with after.
func (s *Store) Reserve(ctx context.Context, after *Record, revision int, m Mark) (*Held, error) {
	name := secretName(after.Name, revision)
	fresh := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: after.Namespace,
			Labels:      map[string]string{labelOwner: ownerReserved, labelName: after.Name, labelRevision: strconv.Itoa(revision)},
			Annotations: map[string]string{annotationHolder: m.text()},
		},
		Type: partType,
	}
	if after.secret != nil {
		fresh.OwnerReferences = []metav1.OwnerReference{s.ownerOf(after.secret)}
	}
	got, err := s.backend.Create(ctx, fresh)
	if apierrors.IsAlreadyExists(err) {
		var have metav1.ObjectMeta
		if have, err = s.meta(ctx, after.Namespace, after.Name, strconv.Itoa(revision)); err == nil && !isHeldBy(have, m.Holder) {
			return nil, existing(have, after.Name, revision)
		}
		fresh.UID, fresh.ResourceVersion = have.UID, have.ResourceVersion
		got = fresh
	}
	if errors.Is(err, ErrNotFound) { // of another kind, or gone again
		return nil, fmt.Errorf("reserve revision %d: %w", revision, ErrRevisionExists)
	}
	if err != nil {
		return nil, fmt.Errorf("reserve revision %d: %w", revision, err)
	}
	return &Held{store: s, secret: got}, nil
}

// Unreserve deletes what has reserved a revision, if it is as it was listed. One that is
// gone, or has changed since, is no error.
func (s *Store) Unreserve(ctx context.Context, c Claim) error {
	err := s.backend.Delete(ctx, c.Namespace, secretName(c.Name, c.Revision), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &c.uid, ResourceVersion: &c.version}})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// existing is why a revision cannot be created.
func existing(have metav1.ObjectMeta, name string, revision int) error {
	c := claimOf(have, name, revision)
	if c.Reserved {
		return &ReservedError{c}
	}
	return fmt.Errorf("revision %d of %s/%s: %w", revision, have.Namespace, name, ErrRevisionExists)
}

// isHeldBy reports whether a record has the mark of a holder, and no outcome: programs
// that do not know marks keep them when they write one.
func isHeldBy(o metav1.ObjectMeta, holder string) bool {
	open := o.Labels[labelOwner] == ownerReserved || Status(o.Labels[labelStatus]).Unfinished()
	return holder != "" && open && markIn(o).holder() == holder
}

// holder is empty for none.
func (m *Mark) holder() string {
	if m == nil {
		return ""
	}
	return m.Holder
}

// isHeld reports whether the record, as it is written, says who works on it.
func (r *Record) isHeld() bool { return r.Status.Unfinished() && r.Mark.holder() != "" }

// TakeOver writes a mark in place of the one that was read. It returns ErrChanged
// if the record was written since, and ErrNotFound if it is gone.
func (s *Store) TakeOver(ctx context.Context, c Claim, m Mark) (*Held, error) {
	about := func(err error) error {
		return fmt.Errorf("take over revision %d of %s/%s: %w", c.Revision, c.Namespace, c.Name, err)
	}
	secret, err := s.backend.Get(ctx, c.Namespace, secretName(c.Name, c.Revision))
	switch {
	case apierrors.IsNotFound(err):
		return nil, about(ErrNotFound)
	case err != nil:
		return nil, about(err)
	case secret.ResourceVersion != c.version:
		return nil, about(ErrChanged)
	}
	h := &Held{store: s, secret: secret}
	if err := h.Renew(ctx, m); err != nil {
		return nil, about(err)
	}
	return h, nil
}

// Held is a record that this process has marked, whole, as it was written last:
// the mark is renewed while others write the rest. It is safe for concurrent use.
type Held struct {
	store *Store

	mu     sync.Mutex
	secret *corev1.Secret // nil: the record has an outcome, or was released
}

// Renew writes the mark again. It returns ErrChanged if another holder has taken
// the record over, or it is gone, and nil if nothing is held any more.
func (h *Held) Renew(ctx context.Context, m Mark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.secret == nil {
		return nil
	}
	next := h.secret.DeepCopy()
	next.ManagedFields = nil
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationHolder, m.text())
	return h.put(ctx, next, m.Holder)
}

// put writes the record as this holder. The caller has locked.
func (h *Held) put(ctx context.Context, next *corev1.Secret, holder string) error {
	for try := 1; ; try++ {
		got, err := h.store.write(next.Namespace, next.Name, func() (*corev1.Secret, error) { return h.store.backend.Update(ctx, next) })
		switch {
		case err == nil:
			h.secret = got
			return nil
		case apierrors.IsNotFound(err):
			return ErrChanged
		case !apierrors.IsConflict(err):
			return err
		}
		// It may have been written by a request whose response was lost.
		have, err := h.store.meta(ctx, next.Namespace, next.Labels[labelName], next.Labels[labelRevision])
		if errors.Is(err, ErrNotFound) || err == nil && (have.UID != next.UID || !isHeldBy(have, holder) || try == updates) {
			return ErrChanged
		}
		if err != nil {
			return err
		}
		mark := next.Annotations[annotationHolder] // what others have set beside it stays
		next.ResourceVersion, next.Labels, next.Annotations = have.ResourceVersion, have.Labels, have.Annotations
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationHolder, mark)
	}
}

// Discard deletes a record that was created or read with r, if it has not been changed
// since: otherwise it returns ErrChanged.
func (s *Store) Discard(ctx context.Context, r *Record) error {
	h := r.held
	if h == nil {
		h = &Held{store: s}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	uid, version := r.secret.UID, r.secret.ResourceVersion
	if h.secret != nil {
		version = h.secret.ResourceVersion
	}
	h.secret = nil
	_, err := s.write(r.Namespace, r.secret.Name, func() (*corev1.Secret, error) {
		return nil, s.backend.Delete(ctx, r.Namespace, r.secret.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return about(r, ErrChanged)
	case err != nil:
		return fmt.Errorf("delete revision %d: %w", r.Revision, err)
	}
	return nil
}

// Release deletes a reserved record, and says in another one without an outcome
// that nobody holds it. It does nothing if this holder no longer does.
func (h *Held) Release(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	secret := h.secret
	if h.secret = nil; secret == nil {
		return nil
	}
	holder := markIn(secret.ObjectMeta).holder()
	for range 3 {
		err := h.release(ctx, secret)
		if !apierrors.IsConflict(err) {
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		}
		have, err := h.store.meta(ctx, secret.Namespace, secret.Labels[labelName], secret.Labels[labelRevision])
		if err != nil || !isHeldBy(have, holder) {
			return nil
		}
		secret = secret.DeepCopy()
		secret.ResourceVersion, secret.Labels, secret.Annotations = have.ResourceVersion, have.Labels, have.Annotations
	}
	return nil
}

func (h *Held) release(ctx context.Context, secret *corev1.Secret) error {
	if secret.Labels[labelOwner] == ownerReserved {
		return h.store.backend.Delete(ctx, secret.Namespace, secret.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion}})
	}
	next := secret.DeepCopy()
	next.ManagedFields = nil
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationHolder, Mark{}.text())
	_, err := h.store.write(next.Namespace, next.Name, func() (*corev1.Secret, error) { return h.store.backend.Update(ctx, next) })
	return err
}

// Hold makes the record one that is held: it was read since it was taken over.
func (r *Record) Hold(h *Held) { r.held = h }

// Held is nil for a record that is not held.
func (r *Record) Held() *Held { return r.held }
