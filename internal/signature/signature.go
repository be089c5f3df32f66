// Package signature signs messages, and verifies them, with the keys that plans
// accept: Ed25519, ECDSA on P-256, P-384 or P-521, and RSA of 2048 bits at least.
package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Signature says who signed a document, and until when that counts. It has the
// fields of engine.Signature, which is converted to it.
type Signature struct {
	By          string
	At, Expires time.Time
	Algorithm   string
	Value       []byte
}

// New returns a signature for a document, without its value.
func New(signer crypto.Signer, by string, validFor time.Duration) (Signature, error) {
	if signer == nil {
		return Signature{}, errors.New("the signer is nil")
	}
	a, err := algorithmOf(signer.Public())
	if err != nil {
		return Signature{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	return Signature{By: by, At: now, Expires: now.Add(validFor).Truncate(time.Second), Algorithm: a.name}, nil
}

// Message is what is signed for a document of a schema: its text holds the signature
// without the value.
func Message(schema string, text []byte) []byte {
	sum := sha512.Sum512(text)
	return []byte(schema + " signature\n" + hex.EncodeToString(sum[:]))
}

// Sign returns the value of a signature.
func Sign(signer crypto.Signer, message []byte) ([]byte, error) {
	a, err := algorithmOf(signer.Public())
	if err != nil {
		return nil, err
	}
	return signer.Sign(rand.Reader, a.digest(message), a.opts)
}

// Verify reports whether the signature of a message is by one of the keys.
func (s Signature) Verify(keys []crypto.PublicKey, message []byte) bool {
	for _, key := range keys {
		a, err := algorithmOf(key)
		if err == nil && a.name == s.Algorithm && a.verify(key, message, s.Value) {
			return true
		}
	}
	return false
}

// Accepts returns an error for a key that is not accepted.
func Accepts(key crypto.PublicKey) error {
	_, err := algorithmOf(key)
	return err
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

func (a algorithm) verify(key crypto.PublicKey, message, value []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, value)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, a.digest(message), value)
	case *rsa.PublicKey:
		return rsa.VerifyPSS(key, a.hash, a.digest(message), value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}
