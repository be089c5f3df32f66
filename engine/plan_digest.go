package engine

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// A stored plan holds digests of what it does not show: manifest, values, chart,
// and live values that are hidden. They may be short secrets, and a plan is
// shown to many people, some of whom may read everything in the cluster but
// Secrets; with all of that it must not be possible to guess values until a
// digest matches. A digest is therefore an HMAC under a key of which neither the
// plan nor an object other than a Secret reveals anything: that of the release's
// newest revision, or the caller's own (Options.PlanKey). The plan's nonce keeps
// digests of two plans from being compared.
//
// A first install without Options.PlanKey has no such key, and neither has a
// release that is kept in ConfigMaps. Their plans have no digest of anything
// hidden, and may hide values only where they are no more than values; see
// hidesElsewhere.
const (
	digestKeyed = "hmac-sha256:"
	digestPlain = "sha256:" // of random UIDs only
)

// digester computes the digests of one plan.
type digester struct {
	nonce   string
	keyedBy DigestKey
	key     []byte // nil: there is none, and nothing hidden has a digest
}

// keeper is the revision whose Secret holds the key of the plan's digests: the
// newest one when the plan was made first; nil: there was none.
func (p premise) keeper() *storage.Record {
	if p.history.resumes(p.asking.reviewed) {
		return p.history.recordOf(p.asking.reviewed.from)
	}
	return p.history.last
}

// digester returns that of a plan with a nonce; keeper as in planSecret.
func (e *Engine) digester(keeper *storage.Record, nonce string) (digester, error) {
	secret, keyedBy := e.planSecret(keeper)
	d := digester{nonce: nonce, keyedBy: keyedBy}
	if keyedBy == "" {
		return d, nil
	}
	var err error
	if d.key, err = hkdf.Key(sha256.New, secret, []byte(nonce), "fairlead.dev/plan/v1 digests", sha256.Size); err != nil {
		return digester{}, fmt.Errorf("derive the key of the plan's digests: %w", err)
	}
	return d, nil
}

// planSecret is what the keys of a plan are derived from, and what that is; nil if
// there is nothing. keeper is the revision that holds it, if the caller has none.
func (e *Engine) planSecret(keeper *storage.Record) ([]byte, DigestKey) {
	switch {
	case len(e.opts.PlanKey) > 0:
		return e.opts.PlanKey, KeyedByOptions
	case keeper != nil && keeper.Key() != nil:
		return keeper.Key(), KeyedByRevision
	}
	return nil, ""
}

// digest returns that of the text of what; empty without a key.
func (d digester) digest(what, text string) string {
	if d.key == nil {
		return ""
	}
	h := hmac.New(sha256.New, d.key)
	fmt.Fprintf(h, "%d:%s", len(what), what) // which never fails
	// In pieces, because the text can be megabytes and would be copied as a whole.
	piece := make([]byte, min(len(text), 8<<10))
	for len(text) > 0 {
		n := copy(piece, text)
		h.Write(piece[:n])
		text = text[n:]
	}
	return digestKeyed + hex.EncodeToString(h.Sum(nil))
}

// identity returns the digest of the UID of an object. A UID has 122 random
// bits, so that it needs no key.
func (d digester) identity(o diff.Object, uid types.UID) string {
	if d.key != nil {
		return d.digest("identity of "+o.String(), string(uid))
	}
	sum := sha256.Sum256([]byte(d.nonce + "\x00" + string(uid)))
	return digestPlain + hex.EncodeToString(sum[:])
}

// addDigests fills in the plan's nonce, digests and preconditions.
func (p *Plan) addDigests(d digester) error {
	p.Nonce, p.KeyedBy = d.nonce, d.keyedBy
	if r := p.work.describes(); r != nil {
		values, err := digestText(r.Values)
		if err != nil {
			return err
		}
		p.ManifestDigest, p.ValuesDigest = d.digest("manifest", r.Digest()), d.digest("values", values)
	}
	if m := p.work.manifest; m != nil {
		if m.Chart.Digest != "" {
			p.ChartDigest = d.digest("chart", m.Chart.Digest)
		}
		p.TemplateDigests = d.templates(m.Files)
	}
	var err error
	p.Preconditions, err = preconditions(p, d)
	return err
}

// templateDigestSize is how much of the digest of a template is kept: enough to find
// the one that differs. That they are equal follows from the manifest's digest.
const templateDigestSize = len(digestKeyed) + 16

// templates returns the digests of what templates have rendered, without those that
// rendered nothing; nil without a key.
func (d digester) templates(files map[string]string) map[string]string {
	if d.key == nil {
		return nil
	}
	out := map[string]string{}
	for name, text := range files {
		if strings.TrimSpace(text) != "" {
			out[name] = d.digest("template "+name, text)[:templateDigestSize]
		}
	}
	return out
}

// describes is the revision of which a plan holds digests: the one to record,
// or the one to uninstall.
func (w *work) describes() *storage.Record {
	if w.record == nil && w.history != nil {
		return w.history.last
	}
	return w.record
}

// digestText is a value as text, the same for the same value.
func digestText(v any) (string, error) {
	if v == nil {
		return "", nil // absent, which no JSON is
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	return string(data), nil
}

// placeholder is what a hidden value is replaced by, with its hash, whose key is
// random for each report.
var placeholder = regexp.MustCompile(`\[secret [0-9a-f]{8}\]`)

// tokenVolume is the name of the volume that admission adds to a bare Pod, which
// ends at random.
var tokenVolume = regexp.MustCompile(`kube-api-access-[a-z0-9]{5}`)

// steady returns a text of a report without what differs between two reports of
// the same.
func steady(text string) string {
	return tokenVolume.ReplaceAllString(withoutHashes(text), "kube-api-access-")
}

// withoutHashes returns a text with all placeholders alike, so that those of two
// plans can be compared.
func withoutHashes(text string) string { return placeholder.ReplaceAllString(text, "[secret]") }
