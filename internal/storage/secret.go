package storage

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	secretType = "helm.sh/release.v1"
	bodyKey    = "release"
	// randomKey is the key of the Secret's data that holds random bytes, from
	// which keys are derived. Helm passes it over, and drops it with each update.
	randomKey = "fairlead.dev-key"
	// seedKey is the key of the Secret's data that holds the seed of the render.
	// Helm treats it as the above.
	seedKey = "fairlead.dev-seed"
	// fieldManager distinguishes the revisions that were made here from Helm's, which
	// drops annotations.
	fieldManager = "fairlead"

	labelOwner    = "owner"
	ownerHelm     = "helm"
	labelName     = "name"
	labelStatus   = "status"
	labelRevision = "version"
	labelCreated  = "createdAt"
	labelModified = "modifiedAt"

	annotationPrefix      = "fairlead.dev/"
	annotationCause       = annotationPrefix + "cause"
	annotationDescription = annotationPrefix + "description"
	annotationChart       = annotationPrefix + "chart"
	annotationVersion     = annotationPrefix + "chart-version"
	annotationAppVersion  = annotationPrefix + "app-version"
	annotationDeployed    = annotationPrefix + "deployed"
	annotationTrimmed     = annotationPrefix + "chart-trimmed" // what the stored chart lacks
	annotationTail        = annotationPrefix + "continued"     // digest of the continuation
	annotationAttempt     = annotationPrefix + "attempt"
	annotationUnproven    = annotationPrefix + "unproven" // it was not waited for
	annotationOwner       = annotationPrefix + "owner"    // of its objects
	annotationApplySet    = annotationPrefix + "applyset" // its objects are members of one
	annotationPlan        = annotationPrefix + "plan"     // that recorded it
	annotationProgress    = annotationPrefix + "progress" // of the engine with it
	annotationDigest      = annotationPrefix + "digest"   // keyed, of what is applied

	// maxAnnotation cuts free text in annotations, of which a Secret holds
	// 256 KiB; the body has the whole.
	maxAnnotation = 4 << 10
)

func secretName(name string, revision int) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision)
}

// SystemLabel reports whether a label of a revision is Helm's or this package's,
// and not the user's.
func SystemLabel(name string) bool {
	switch name {
	case labelOwner, labelName, labelStatus, labelRevision, labelCreated, labelModified, labelNamespace:
		return true
	}
	return false
}

// userLabels are the labels that are not SystemLabels.
func userLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if !SystemLabel(k) {
			out[k] = v
		}
	}
	return out
}

// newSecret is the Secret of the record. What others have set on the one that
// the record was read from is kept: Helm drops it, but Helm has no say in it.
func newSecret(r *Record, e *encoded, stamp string, now time.Time) *corev1.Secret {
	out := &corev1.Secret{Type: secretType, Data: map[string][]byte{}}
	if r.secret != nil {
		out = r.secret.DeepCopy()
	}
	out.Name, out.Namespace, out.ManagedFields = secretName(r.Name, r.Revision), r.Namespace, nil
	out.Data = maps.Clone(out.Data)
	if out.Data == nil {
		out.Data = map[string][]byte{}
	}
	out.Data[bodyKey] = e.body
	if r.secret == nil {
		out.Data[randomKey] = random()
	}
	if delete(out.Data, seedKey); len(r.Seed) > 0 {
		out.Data[seedKey] = r.Seed
	}

	labels := userLabels(r.Labels)
	if created, ok := out.Labels[labelCreated]; ok {
		labels[labelCreated] = created
	}
	labels[labelOwner] = ownerHelm
	labels[labelName] = r.Name
	labels[labelStatus] = string(r.Status)
	labels[labelRevision] = strconv.Itoa(r.Revision)
	labels[stamp] = strconv.FormatInt(now.Unix(), 10)
	out.Labels = labels

	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	a := out.Annotations
	a[annotationCause] = cut(r.Cause)
	a[annotationDescription] = cut(r.Description)
	a[annotationChart] = r.Chart.Name
	a[annotationVersion] = r.Chart.Version
	a[annotationAppVersion] = r.Chart.AppVersion
	a[annotationDigest] = storedDigest(r, out.Data[randomKey])
	a[annotationDeployed] = r.LastDeployed.UTC().Format(time.RFC3339Nano)
	said := func(b bool) string {
		if b {
			return "true"
		}
		return ""
	}
	for name, value := range map[string]string{
		annotationTail: e.digest(), annotationAttempt: r.attempt,
		annotationUnproven: said(r.Unproven), annotationApplySet: said(r.ApplySet), annotationPlan: r.AppliedPlan, annotationProgress: r.Progress,
	} {
		if delete(a, name); value != "" {
			a[name] = value
		}
	}
	if text, ok := kindsText(r); ok {
		a[annotationKinds] = text
	} else {
		delete(a, annotationKinds)
	}
	if delete(a, annotationHolder); r.Mark != nil && r.Status.Unfinished() {
		a[annotationHolder] = r.Mark.text()
	}
	delete(a, annotationOwner)
	if r.Owner != nil {
		text, _ := json.Marshal(r.Owner) // which has texts and booleans only
		a[annotationOwner] = string(text)
	}
	if r.Owner != nil && r.Owned && !hasOwner(out, r.Owner) {
		out.OwnerReferences = append(out.OwnerReferences, *r.Owner)
	}
	if e.trimmed != "" { // once trimmed, trimmed for ever
		a[annotationTrimmed] = e.trimmed
	}
	return out
}

func hasOwner(s *corev1.Secret, owner *metav1.OwnerReference) bool {
	return slices.ContainsFunc(s.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == owner.UID })
}

// ownerIn reads the owner of the release's objects; nil: none, or none that can be
// read.
func ownerIn(s *corev1.Secret) (owner *metav1.OwnerReference, owned bool) {
	text, ok := s.Annotations[annotationOwner]
	if !ok {
		return nil, false
	}
	owner = &metav1.OwnerReference{}
	if json.Unmarshal([]byte(text), owner) != nil || owner.APIVersion == "" || owner.Kind == "" || owner.Name == "" || owner.UID == "" {
		return nil, false
	}
	return owner, hasOwner(s, owner)
}

// Digest is over what the revision applies: its manifest and hooks.
func (r *Record) Digest() string {
	h := sha256.New() // which never fails to be written to
	fmt.Fprintf(h, "%d\n", r.Manifest.Len())
	r.Manifest.WriteTo(h)
	for _, hook := range r.Hooks {
		fmt.Fprintf(h, "\n%s\n%d\n%s", hook.Path, len(hook.Manifest), hook.Manifest)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// keyedDigest begins a digest that is an HMAC.
const keyedDigest = "hmac-sha256:"

// storedDigest is the digest in the annotation, under a key that is in the
// Secret's data: programs that hide the data of Secrets show annotations. A
// revision that Helm recorded has no key.
func storedDigest(r *Record, key []byte) string {
	if len(key) == 0 {
		return r.Digest()
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(r.Digest()))
	return keyedDigest + hex.EncodeToString(h.Sum(nil))
}

// hasDigest reports whether the annotation is the digest of the record: keyed,
// or as earlier versions wrote it.
func hasDigest(r *Record, s *corev1.Secret) bool {
	want, ok := s.Annotations[annotationDigest]
	if !ok { // Helm drops the annotation when it writes the body
		return true
	}
	if !strings.HasPrefix(want, keyedDigest) {
		return want == r.Digest()
	}
	key := s.Data[randomKey]
	return len(key) > 0 && hmac.Equal([]byte(want), []byte(storedDigest(r, key)))
}

func random() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	return key
}

// withoutBody is what of a Secret a record keeps.
func withoutBody(s *corev1.Secret) *corev1.Secret {
	out := *s
	out.Data = maps.Clone(s.Data)
	delete(out.Data, bodyKey)
	out.ManagedFields = nil
	return &out
}

// recorder is who made a record, if not this package: the manager of the type of
// a Secret, or of the label owner of a ConfigMap, none of which is changed
// afterwards.
func recorder(managers []metav1.ManagedFieldsEntry, isSecret bool) string {
	for _, e := range managers {
		if e.FieldsV1 == nil || e.Manager == fieldManager {
			continue
		}
		fields := e.FieldsV1.GetRawBytes()
		if bytes.Contains(fields, []byte(`"f:type":`)) || bytes.Contains(fields, []byte(`"f:data":`)) && bytes.Contains(fields, []byte(`"f:owner":`)) && !isSecret {
			return e.Manager
		}
	}
	return ""
}

// cut shortens text for an annotation.
func cut(text string) string {
	if len(text) <= maxAnnotation {
		return text
	}
	return strings.ToValidUTF8(text[:maxAnnotation], "") + "…"
}

// written reads the labels of time.
func written(labels map[string]string) time.Time {
	var newest int64
	for _, name := range []string{labelCreated, labelModified} {
		if n, err := strconv.ParseInt(labels[name], 10, 64); err == nil && n > newest {
			newest = n
		}
	}
	if newest == 0 {
		return time.Time{}
	}
	return time.Unix(newest, 0)
}

// metaOf reads labels and annotations; ok is false for a Secret that is no
// revision.
func metaOf(o metav1.ObjectMeta) (m Meta, ok bool) {
	revision, err := strconv.Atoi(o.Labels[labelRevision])
	if err != nil || revision < 1 || o.Labels[labelName] == "" || o.Name != secretName(o.Labels[labelName], revision) {
		return Meta{}, false
	}
	m = Meta{Name: o.Labels[labelName], Namespace: o.Namespace, Revision: revision, Status: Status(o.Labels[labelStatus]), UID: o.UID, Written: written(o.Labels)}
	a := o.Annotations
	m.Unproven, m.AppliedPlan, m.Labels = a[annotationUnproven] != "", a[annotationPlan], userLabels(o.Labels)
	if _, m.Annotated = a[annotationDeployed]; !m.Annotated {
		return m, true
	}
	m.Cause, m.Description = a[annotationCause], a[annotationDescription]
	m.Chart, m.Version, m.AppVersion = a[annotationChart], a[annotationVersion], a[annotationAppVersion]
	m.LastDeployed, _ = time.Parse(time.RFC3339Nano, a[annotationDeployed]) // a broken one is shown as none
	return m, true
}
