package engine

import (
	"crypto"
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/internal/signature"
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

// NewSignature signs a document that holds its own signature. encode returns the
// text of the document with the given signature in it, which has no value yet, and
// schema names its form. Keys are those of Plan.Sign. It is for documents that
// hold plans, such as the plan of a stack.
func NewSignature(signer crypto.Signer, opts SignOptions, schema string, encode func(*Signature) ([]byte, error)) (*Signature, error) {
	if err := notNegative("SignOptions.ValidFor", opts.ValidFor); err != nil {
		return nil, err
	}
	if opts.ValidFor == 0 {
		opts.ValidFor = DefaultPlanValidity
	}
	bare, err := signature.New(signer, opts.By, opts.ValidFor)
	if err != nil {
		return nil, err
	}
	out := Signature(bare)
	text, err := encode(&out)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	out.Value, err = signature.Sign(signer, signature.Message(schema, text))
	return &out, err
}

// Verify returns an error that wraps ErrPlanExpired if the signature of a document
// no longer counts, and one that wraps ErrPlanSignature unless one of the keys has
// signed what encode returns, as in NewSignature. Without keys no signature is
// needed, and s may be nil.
func (s *Signature) Verify(keys []crypto.PublicKey, schema string, encode func(*Signature) ([]byte, error)) error {
	if s != nil && !time.Now().Before(s.Expires) {
		return fmt.Errorf("%w at %s", ErrPlanExpired, s.Expires.UTC().Format(time.RFC3339))
	}
	if len(keys) == 0 {
		return nil
	}
	if s == nil {
		return fmt.Errorf("%w: it is not signed", ErrPlanSignature)
	}
	bare := *s
	bare.Value = nil
	text, err := encode(&bare)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if !signature.Signature(*s).Verify(keys, signature.Message(schema, text)) {
		return fmt.Errorf("%w: no accepted key has signed this plan", ErrPlanSignature)
	}
	return nil
}
