package engine

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// A stored plan holds digests of texts, by which applying finds out whether they
// are still the same. The texts may hold secrets, short ones too, and a plan is
// shown to many people; with the plan alone it must not be possible to guess
// values until a digest matches. A digest is therefore an HMAC under a key that
// the plan does not hold: the UID of an object in the cluster (of the object
// itself, for its fields; of the release's namespace, for manifest and values),
// 122 random bits that only those see who may read that object. Applying reads
// it, and computes the digest again. The plan's nonce keeps digests of two plans
// from being compared.
//
// Where there is no such UID, because the namespace is yet to be created or
// may not be read, the digest is a slow hash: each guess takes a good part of a
// second.
const (
	digestByKey   = "hmac-sha256:"
	digestSlow    = "pbkdf2-sha256:"
	slowIteration = 600_000 // as OWASP recommends
)

// newNonce makes the digests of a plan differ from those of all others.
func newNonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// keyedDigest is a digest of the text of what, under uid; a slow hash if uid is
// empty.
func keyedDigest(nonce string, uid types.UID, what, text string) (string, error) {
	if uid == "" {
		sum, err := pbkdf2.Key(sha256.New, what+"\x00"+text, []byte(nonce), slowIteration, sha256.Size)
		if err != nil {
			return "", fmt.Errorf("compute the digest of the %s: %w", what, err)
		}
		return digestSlow + hex.EncodeToString(sum), nil
	}
	key := hmac.New(sha256.New, []byte(uid))
	key.Write([]byte(nonce))
	sum := hmac.New(sha256.New, key.Sum(nil))
	sum.Write([]byte(what + "\x00" + text))
	return digestByKey + hex.EncodeToString(sum.Sum(nil)), nil
}

// addDigests fills in the plan's nonce, digests and preconditions.
func (p *Plan) addDigests() error {
	p.Nonce = newNonce()
	var err error
	if r := p.work.record; r != nil {
		if p.ManifestDigest, err = keyedDigest(p.Nonce, p.work.namespace.uid, "manifest", r.Digest()); err != nil {
			return err
		}
		values, err := digestText(r.Values)
		if err != nil {
			return err
		}
		if p.ValuesDigest, err = keyedDigest(p.Nonce, p.work.namespace.uid, "values", values); err != nil {
			return err
		}
	}
	p.Preconditions, err = preconditions(p)
	return err
}

// sameSource compares chart, values and manifest with those of a plan that was
// made just now: nil or a *StalePlanError.
func (p *Plan) sameSource(now *Plan) error {
	stale := func(field, then, is string) error {
		return &StalePlanError{Key: p.Key, Field: field, Then: then, Now: is}
	}
	if p.Chart != now.Chart {
		return stale("chart", p.Chart, now.Chart)
	}
	if p.ChartDigest != now.ChartDigest {
		return stale("chart "+p.Chart, p.ChartDigest, now.ChartDigest)
	}
	r := now.work.record
	if r == nil || p.Nonce == "" {
		return nil // nothing is applied; or planned by this very process
	}
	uid := now.work.namespace.uid
	if uid == "" && strings.HasPrefix(p.ManifestDigest, digestByKey) {
		return &Error{
			Op: "apply", Key: p.Key, Hint: "grant the permission to get the release's namespace",
			Err: fmt.Errorf("%w: the plan's digests are keyed with the namespace's UID, which cannot be read", ErrForbidden),
		}
	}
	values, err := digestText(r.Values)
	if err != nil {
		return err
	}
	for _, s := range []struct{ what, digest, text string }{{"values", p.ValuesDigest, values}, {"manifest", p.ManifestDigest, r.Digest()}} {
		same, err := matchesDigest(s.digest, p.Nonce, uid, s.what, s.text)
		if err != nil {
			return err
		}
		if !same {
			return stale(s.what, "as planned", "different")
		}
	}
	return nil
}

// matchesDigest reports whether a digest is that of text. One that is keyed with
// the UID of an object that cannot be read now matches nothing.
func matchesDigest(have, nonce string, uid types.UID, what, text string) (bool, error) {
	if strings.HasPrefix(have, digestSlow) {
		uid = ""
	} else if uid == "" {
		return false, nil
	}
	again, err := keyedDigest(nonce, uid, what, text)
	return hmac.Equal([]byte(again), []byte(have)), err
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
