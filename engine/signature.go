package engine

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// DefaultPlanValidity is how long a signature counts.
const DefaultPlanValidity = 24 * time.Hour

// Signature says who vouches for a plan, and until when.
type Signature struct {
	// By is whom SignOptions named. It is covered by the signature; that the
	// signer may use the name is for the owner of the key to see to.
	By string `json:"by,omitempty"`
	// At is when it was signed, and Expires until when it counts.
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
	// Algorithm follows from the key: Ed25519, ECDSA-SHA256, ECDSA-SHA384,
	// ECDSA-SHA512 or RSA-PSS-SHA256.
	Algorithm string `json:"algorithm"`
	Value     []byte `json:"value,omitempty"`
}

// SignOptions are the settings of a signature.
type SignOptions struct {
	// By names who signs, for people. Empty: no name.
	By string
	// ValidFor is how long the signature counts. 0: DefaultPlanValidity.
	// Negative: an error.
	ValidFor time.Duration
}

// Sign signs the plan, all of it: what it would do, to which release, on which
// cluster. It may have been read from JSON, so that its reviewer can
// sign it. An existing signature is replaced. The signer has a key for Ed25519,
// ECDSA (P-256, P-384, P-521) or RSA of 2048 bits at least, and may be a
// hardware module. It returns an error that wraps ErrPlanCluster for a plan that
// does not name its cluster.
func (p *Plan) Sign(signer crypto.Signer, opts SignOptions) error {
	if signer == nil {
		return &Error{Op: "sign", Key: p.Key, Err: errors.New("the signer is nil")}
	}
	if err := notNegative("SignOptions.ValidFor", opts.ValidFor); err != nil {
		return refused("sign", p.Key, err)
	}
	if p.Cluster == "" {
		return &Error{Op: "sign", Key: p.Key, Hint: "plan with the permission to get the release's namespace, or kube-system", Err: ErrPlanCluster}
	}
	algorithm, err := algorithmOf(signer.Public())
	if err != nil {
		return &Error{Op: "sign", Key: p.Key, Err: err}
	}
	if opts.ValidFor == 0 {
		opts.ValidFor = DefaultPlanValidity
	}
	now := time.Now().UTC().Truncate(time.Second)
	signed := *p
	signed.Signature = &Signature{By: opts.By, At: now, Expires: now.Add(opts.ValidFor).Truncate(time.Second), Algorithm: algorithm.name}
	message, err := signed.signedBytes()
	if err != nil {
		return &Error{Op: "sign", Key: p.Key, Err: err}
	}
	if signed.Signature.Value, err = algorithm.sign(signer, message); err != nil {
		return &Error{Op: "sign", Key: p.Key, Err: err}
	}
	p.Signature = signed.Signature
	return nil
}

// signedBytes is what a signature is over: a digest of the plan's JSON without
// the signature's value, as MarshalJSON writes it.
func (p *Plan) signedBytes() ([]byte, error) {
	bare, signature := *p, *p.Signature
	signature.Value = nil
	bare.Signature = &signature
	text, err := json.Marshal(&bare)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	sum := sha512.Sum512(text)
	return []byte("fairlead.dev/plan/v1 signature\n" + hex.EncodeToString(sum[:])), nil
}

// algorithm is how a key signs.
type algorithm struct {
	name string
	hash crypto.Hash // 0: the message is signed as it is
	opts crypto.SignerOpts
}

// minRSA is the least size of an RSA key.
const minRSA = 2048

func algorithmOf(key crypto.PublicKey) (algorithm, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return algorithm{"Ed25519", 0, crypto.Hash(0)}, nil
		}
	case *ecdsa.PublicKey:
		if key == nil {
			break
		}
		switch key.Curve {
		case elliptic.P256():
			return algorithm{"ECDSA-SHA256", crypto.SHA256, crypto.SHA256}, nil
		case elliptic.P384():
			return algorithm{"ECDSA-SHA384", crypto.SHA384, crypto.SHA384}, nil
		case elliptic.P521():
			return algorithm{"ECDSA-SHA512", crypto.SHA512, crypto.SHA512}, nil
		}
	case *rsa.PublicKey:
		if key != nil && key.N != nil && key.N.BitLen() >= minRSA {
			return algorithm{"RSA-PSS-SHA256", crypto.SHA256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}}, nil
		}
	}
	return algorithm{}, fmt.Errorf("a key of type %T is not accepted: Ed25519, ECDSA on P-256, P-384 or P-521, and RSA of %d bits at least are", key, minRSA)
}

func (a algorithm) digest(message []byte) []byte {
	if a.hash == 0 {
		return message
	}
	h := a.hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func (a algorithm) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	return signer.Sign(rand.Reader, a.digest(message), a.opts)
}

func (a algorithm) verify(key crypto.PublicKey, message, signature []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, a.digest(message), signature)
	case *rsa.PublicKey:
		return rsa.VerifyPSS(key, a.hash, a.digest(message), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}

// checkSignature returns an error that wraps ErrPlanExpired if a signature no
// longer counts, and one that wraps ErrPlanSignature unless one of the keys has
// signed the plan; without keys no signature is needed.
func (p *Plan) checkSignature(keys []crypto.PublicKey, now time.Time) error {
	if s := p.Signature; s != nil && !now.Before(s.Expires) {
		return fmt.Errorf("%w at %s", ErrPlanExpired, s.Expires.UTC().Format(time.RFC3339))
	}
	if len(keys) == 0 {
		return nil
	}
	if p.Signature == nil {
		return fmt.Errorf("%w: it is not signed", ErrPlanSignature)
	}
	message, err := p.signedBytes()
	if err != nil {
		return err
	}
	for _, key := range keys {
		a, err := algorithmOf(key)
		if err == nil && a.name == p.Signature.Algorithm && a.verify(key, message, p.Signature.Value) {
			return nil
		}
	}
	return fmt.Errorf("%w: no accepted key has signed this plan", ErrPlanSignature)
}
