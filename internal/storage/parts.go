package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

const (
	partType  = "fairlead.dev/release-part.v1"
	partKey   = "part"
	ownerPart = "fairlead.dev" // not Helm's, whose lists would take it for a revision

	// orphanAge is how old a part must be before it counts as left behind: the
	// writer of a younger one may be about to write the revision.
	orphanAge = time.Hour
)

// partName holds the digest of what the part is a part of, so that rivals do
// not overwrite each other's, and what was written stays as it is.
func partName(name string, revision int, digest string, part int) string {
	return fmt.Sprintf("%s.%s.%d", secretName(name, revision), digest[:16], part)
}

// isPartOf says whether a Secret's name is that of a part of the revision.
func isPartOf(secret string, m Meta) bool {
	return strings.HasPrefix(secret, secretName(m.Name, m.Revision)+".")
}

// writeParts stores the tail, before the Secret that refers to it. Parts that
// are there are the same: their name is their digest.
func (s *Store) writeParts(ctx context.Context, r *Record, e *encoded) error {
	digest, immutable := e.digest(), true
	if digest == "" || r.continued.SHA256 == digest {
		return nil
	}
	var owners []metav1.OwnerReference
	if r.secret != nil {
		owners = []metav1.OwnerReference{s.ownerOf(r.secret)}
	}
	i := 0
	for data := range slices.Chunk(e.tail, e.limit) {
		i++
		part := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name: partName(r.Name, r.Revision, digest, i), Namespace: r.Namespace,
				Labels:      map[string]string{labelOwner: ownerPart, labelName: r.Name, labelRevision: strconv.Itoa(r.Revision)},
				Annotations: map[string]string{annotationTail: digest}, OwnerReferences: owners,
			},
			Immutable: &immutable,
			Type:      partType,
			Data:      map[string][]byte{partKey: data},
		}
		_, err := s.backend.Create(ctx, part)
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("record part %d of revision %d: %w", i, r.Revision, err)
		}
	}
	return nil
}

// ownerOf is a revision as the owner of its parts.
func (s *Store) ownerOf(revision *corev1.Secret) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: s.backend.Kind(), Name: revision.Name, UID: revision.UID}
}

// ownParts makes the Secret that was created the owner of its parts, so that
// they go with it when any client deletes it, Helm too.
func (s *Store) ownParts(ctx context.Context, r *Record) error {
	owner := s.ownerOf(r.secret)
	for i := range r.continued.Parts {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			part, err := s.backend.Get(ctx, r.Namespace, partName(r.Name, r.Revision, r.continued.SHA256, i+1))
			if err != nil || slices.ContainsFunc(part.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == owner.UID }) {
				return err
			}
			part.OwnerReferences = []metav1.OwnerReference{owner}
			_, err = s.backend.Update(ctx, part)
			return err
		})
		if err != nil {
			return fmt.Errorf("tie part %d to revision %d: %w", i+1, r.Revision, err)
		}
	}
	return nil
}

// readParts reads the tail, and charges the account for it. It returns ErrTorn
// if the tail is not what was written.
func (s *Store) readParts(ctx context.Context, namespace, name string, revision int, c continuation, account yamlread.Account) ([]byte, error) {
	var tail []byte
	for i := range c.Parts {
		secret, err := s.backend.Get(ctx, namespace, partName(name, revision, c.SHA256, i+1))
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%w: part %d of %d, %s %s, is missing", ErrTorn, i+1, c.Parts, s.backend.Kind(), partName(name, revision, c.SHA256, i+1))
		}
		if err != nil {
			return nil, fmt.Errorf("read part %d of revision %d: %w", i+1, revision, err)
		}
		if err := account.Charge(costText * int64(len(secret.Data[partKey]))); err != nil {
			return nil, err
		}
		tail = append(tail, secret.Data[partKey]...)
	}
	if got := digestOf(tail); got != c.SHA256 {
		return nil, fmt.Errorf("%w: the digest is sha256:%s and must be sha256:%s", ErrTorn, got, c.SHA256)
	}
	return tail, nil
}

// deleteParts removes the parts of a tail.
func (s *Store) deleteParts(ctx context.Context, namespace, name string, revision int, c continuation) error {
	var failed error
	for i := range c.Parts {
		failed = errors.Join(failed, s.delete(ctx, namespace, partName(name, revision, c.SHA256, i+1), ""))
	}
	return failed
}

// orphans are the parts that no revision refers to: those of a revision that
// is gone or was never written, and those that a revision has moved on from.
func orphans(revisions, parts []metav1.PartialObjectMetadata, now time.Time) []string {
	tails := map[string]string{} // by the revision label
	newest := 0
	for _, o := range revisions {
		m, ok := metaOf(o.ObjectMeta)
		if !ok {
			continue
		}
		newest = max(newest, m.Revision)
		tails[o.Labels[labelRevision]] = o.Annotations[annotationTail]
		if !m.Annotated {
			tails[o.Labels[labelRevision]] = "*" // Helm wrote it again: only its body says
		}
	}
	var out []string
	for _, o := range parts {
		old := now.Sub(o.CreationTimestamp.Time) > orphanAge
		tail, there := tails[o.Labels[labelRevision]]
		revision, err := strconv.Atoi(o.Labels[labelRevision])
		switch {
		case err != nil: // not one of ours
		case !there && (old || revision < newest):
			out = append(out, o.Name)
		case there && tail != "*" && tail != o.Annotations[annotationTail] && old:
			out = append(out, o.Name)
		}
	}
	return out
}
