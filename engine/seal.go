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

// A stored plan says of a text by a seal that it is the same as before. What
// is sealed may hold secrets, short ones too, and a plan is shown to many; so
// nobody who has only the plan may be able to try values until the seal fits.
// A seal is therefore an HMAC under a key that the plan does not hold: the
// UID of an object in the cluster (of the object itself, for its fields; of
// the release's namespace, for the manifest and the values), 122 random bits
// that nobody sees who may not read that object. Whoever applies the plan may,
// and works the seal out again. The plan's nonce makes seals of two plans say
// nothing together.
//
// Where there is no such UID, because the namespace is yet to be created or
// may not be read, a seal is a slow hash: each try takes a good part of a
// second.
const (
	sealedByKey  = "hmac-sha256:"
	sealedSlowly = "pbkdf2-sha256:"
	slowness     = 600_000 // iterations, as OWASP asks for
)

// newNonce is what tells the seals of a plan from those of all others.
func newNonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// seal seals the text of what.
func seal(nonce string, uid types.UID, what, text string) (string, error) {
	if uid == "" {
		sum, err := pbkdf2.Key(sha256.New, what+"\x00"+text, []byte(nonce), slowness, sha256.Size)
		if err != nil {
			return "", fmt.Errorf("seal the %s: %w", what, err)
		}
		return sealedSlowly + hex.EncodeToString(sum), nil
	}
	key := hmac.New(sha256.New, []byte(uid))
	key.Write([]byte(nonce))
	sum := hmac.New(sha256.New, key.Sum(nil))
	sum.Write([]byte(what + "\x00" + text))
	return sealedByKey + hex.EncodeToString(sum.Sum(nil)), nil
}

// seal fills in the plan's seals.
func (p *Plan) seal() error {
	p.Nonce = newNonce()
	var err error
	if r := p.work.record; r != nil {
		if p.ManifestDigest, err = seal(p.Nonce, p.work.namespaceUID, "manifest", r.Digest()); err != nil {
			return err
		}
		values, err := sealable(r.Values)
		if err != nil {
			return err
		}
		if p.ValuesDigest, err = seal(p.Nonce, p.work.namespaceUID, "values", values); err != nil {
			return err
		}
	}
	p.Preconditions, err = preconditions(p)
	return err
}

// sameSource says whether another plan, made just now, is of the same chart,
// values and manifest: nil or a *StalePlanError.
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
	uid := now.work.namespaceUID
	if uid == "" && strings.HasPrefix(p.ManifestDigest, sealedByKey) {
		return &Error{
			Op: "apply", Key: p.Key, Hint: "get namespaces is the right to ask for, in the release's namespace",
			Err: fmt.Errorf("%w: the plan is sealed with the namespace's UID, which cannot be read", ErrForbidden),
		}
	}
	values, err := sealable(r.Values)
	if err != nil {
		return err
	}
	for _, s := range []struct{ what, seal, text string }{{"values", p.ValuesDigest, values}, {"manifest", p.ManifestDigest, r.Digest()}} {
		same, err := sealed(s.seal, p.Nonce, uid, s.what, s.text)
		if err != nil {
			return err
		}
		if !same {
			return stale(s.what, "as planned", "different")
		}
	}
	return nil
}

// sealed says whether a seal is one of text. A seal made under the UID of an
// object that cannot be read now fits nothing.
func sealed(have, nonce string, uid types.UID, what, text string) (bool, error) {
	if strings.HasPrefix(have, sealedSlowly) {
		uid = ""
	} else if uid == "" {
		return false, nil
	}
	again, err := seal(nonce, uid, what, text)
	return hmac.Equal([]byte(again), []byte(have)), err
}

// sealable is a value as text, the same for the same value.
func sealable(v any) (string, error) {
	if v == nil {
		return "", nil // absent, which no JSON is
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	return string(data), nil
}
