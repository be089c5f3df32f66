package engine

import (
	"crypto"
	"encoding/json"
)

// Sign signs the plan, all of it: what it would do, to which release, on which
// cluster. It may have been read from JSON, so that its reviewer can
// sign it. An existing signature is replaced. The signer has a key for Ed25519,
// ECDSA (P-256, P-384, P-521) or RSA of 2048 bits at least, and may be a
// hardware module. It returns an error that wraps ErrPlanCluster for a plan that
// does not name its cluster.
func (p *Plan) Sign(signer crypto.Signer, opts SignOptions) error {
	if p.Cluster == "" {
		return &Error{Op: "sign", Key: p.Key, Hint: "plan with the permission to get the release's namespace, or kube-system", Err: ErrPlanCluster}
	}
	s, err := NewSignature(signer, opts, planSchema, p.signed)
	if err != nil {
		return &Error{Op: "sign", Key: p.Key, Err: err}
	}
	p.Signature = s
	return nil
}

// signed is the plan's JSON with a signature, as MarshalJSON writes it.
func (p *Plan) signed(s *Signature) ([]byte, error) {
	bare := *p
	bare.Signature = s
	return json.Marshal(&bare)
}
