package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// admit refuses a plan that is not for what the caller has named, before
// anything of the release is read. A plan that was read from JSON is not
// trusted: the caller names the release and the kinds that are accepted.
func (e *Engine) admit(ctx context.Context, p *Plan, opts ApplyOptions) error {
	if err := e.expected(p, opts); err != nil {
		return err
	}
	if p.work != nil && (p.work.planner == e.cluster || p.Cluster == "") {
		return nil
	}
	return explain("apply", p.Key, diff.Object{}, e.checkCluster(ctx, p))
}

// expected is the part of admit that needs no request.
func (e *Engine) expected(p *Plan, opts ApplyOptions) error {
	k, stored := opts.target(), p.work == nil
	refuse := func(hint string, err error) error {
		return &Error{Op: "apply", Key: k, Hint: hint, Err: err}
	}
	if stored && k == (Key{}) {
		if p.Kind.deploys() {
			return refuse("a stored plan holds no manifest: set ApplyOptions.Release to what was planned", ErrSourceNeeded)
		}
		return refuse("set ApplyOptions.Key to the release that you expect it to be for", ErrTargetNeeded)
	}
	if k != (Key{}) && p.Key != k {
		return refuse("", fmt.Errorf("%w: %q", ErrPlanRelease, printable(p.Key.String())))
	}
	if kinds := opts.kinds(stored); kinds != nil && !slices.Contains(kinds, p.Kind) {
		return refuse("if you expect one of this kind, name it in ApplyOptions.Kinds", fmt.Errorf("%w: it is %q, accepted are %s", ErrPlanKind, printable(string(p.Kind)), joinKinds(kinds)))
	}
	if stored && p.Kind.deploys() && opts.Release == nil {
		return refuse("a stored plan holds no manifest: set ApplyOptions.Release to what was planned", ErrSourceNeeded)
	}
	if err := p.Signature.Verify(e.opts.PlanSigners, planSchema, p.signed); err != nil {
		return refuse("have it planned and signed again", err)
	}
	if !stored {
		return nil
	}
	if !validNonce(p.Nonce) {
		return refuse("", fmt.Errorf("%w: it has no nonce", ErrPlanInvalid))
	}
	if keyed := len(e.opts.PlanKey) > 0; keyed != (p.KeyedBy == KeyedByOptions) {
		var is DigestKey
		if keyed {
			is = KeyedByOptions
		}
		return digestKeyError(k, p.KeyedBy, is)
	}
	return nil
}

func joinKinds(kinds []PlanKind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ", ")
}

// target is the release that the caller has named; zero: none.
func (o ApplyOptions) target() Key {
	if o.Release != nil {
		return o.Release.Key
	}
	return o.Key
}

// kinds are the kinds of plans that the caller accepts; nil: all.
func (o ApplyOptions) kinds(stored bool) []PlanKind {
	switch {
	case o.Kinds != nil:
		return o.Kinds
	case o.Release != nil:
		return []PlanKind{PlanInstall, PlanUpgrade}
	case stored:
		return []PlanKind{PlanRollback, PlanCorrection, PlanRollout}
	}
	return nil
}
