package stack

import (
	"crypto"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/engine"
)

// Sign signs the plan of the stack as a whole: its members with their plans, needs,
// inputs and order, what it prunes, and for which clusters. It takes the keys of
// engine.Plan.Sign, and may be called on a plan that was read from JSON. An existing
// signature is replaced. It fails with an error that wraps engine.ErrPlanCluster if
// the plan of a release does not name its cluster.
//
// The signature also vouches for the members that are planned again at their turn:
// within what the plan shows, see Later.
func (p *Plan) Sign(signer crypto.Signer, opts engine.SignOptions) error {
	for _, m := range p.all() {
		if m.Plan == nil || m.Plan.Cluster == "" {
			return &MemberError{Member: m.Member, Op: "sign the plan of", Err: engine.ErrPlanCluster}
		}
	}
	s, err := engine.NewSignature(signer, opts, planSchema, p.signed)
	if err != nil {
		return fmt.Errorf("sign the plan of stack %s: %w", p.Stack, err)
	}
	p.Signature = s
	return nil
}

// signed is the plan's JSON with a signature, as MarshalJSON writes it.
func (p *Plan) signed(s *engine.Signature) ([]byte, error) {
	bare := *p
	bare.Signature = s
	return json.Marshal(&bare)
}

// checkSignature refuses a plan that the keys of one of the stack's engines have not
// signed, and one whose signature has expired.
func (s *Stack) checkSignature(p *Plan) error {
	if err := p.Signature.Verify(nil, planSchema, p.signed); err != nil {
		return err
	}
	for _, e := range s.engines {
		if err := p.Signature.Verify(s.settings[e].PlanSigners, planSchema, p.signed); err != nil {
			return err
		}
	}
	return nil
}

// signedOnly reports whether one of the engines applies nothing but signed plans.
func (s *Stack) signedOnly() bool {
	return slices.ContainsFunc(s.engines, func(e *engine.Engine) bool { return len(s.settings[e].PlanSigners) > 0 })
}

// settingsOf are the options of an engine.
func settingsOf(e *engine.Engine) (engine.Options, error) {
	var out engine.Options
	_, err := e.With(func(o *engine.Options) { out = *o })
	return out, err
}
