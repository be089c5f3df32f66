package stack

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/fairlead-dev/fairlead/engine"
)

// LabelPlan is the label of a revision that was recorded for a member that is
// planned again at its turn: the nonce of the member's plan, a dot and the number of
// the revision. By it, applying the plan again finds that no other change came after.
const LabelPlan = "fairlead.dev/stack-plan"

// nonceOfPlan is what the engine draws for each plan.
var nonceOfPlan = regexp.MustCompile(`^[0-9a-f]{32}$`)

func planLabel(mp *MemberPlan, revision int) string {
	return fmt.Sprintf("%s.%d", mp.Plan.Nonce, revision)
}

// planNow plans a member again, now that what was unknown is known, and refuses what
// the reviewed plan has not shown.
func (a *application) planNow(ctx context.Context, m *member, e *engine.Engine, mp *MemberPlan, r engine.Release, in inputs) (*engine.Plan, error) {
	// As Engine.Apply does: a plan that this process has made, whose author may not read
	// the namespace, names no cluster, and is not checked.
	if mp.inputs == nil || mp.Plan.Cluster != "" {
		if err := e.CheckCluster(ctx, mp.Plan); err != nil {
			return nil, err
		}
	}
	rendered := &twin{source: r.Source}
	r.Source = rendered
	plan, err := e.Plan(ctx, r, engine.PlanOptions{DryRun: mp.Plan.DryRun, UnsafeDelete: a.opts.UnsafeDelete})
	if err != nil {
		return nil, err
	}
	if err := mp.notOutdated(ctx, e, plan); err != nil {
		return nil, err
	}
	if a.opts.UnsafeBeyond {
		return plan, nil
	}
	if err := a.sameInputs(m, mp, rendered, in); err != nil {
		return nil, err
	}
	beyond, err := mp.beyond(plan, sync.OnceValues(func() (*engine.Plan, error) {
		return e.Plan(ctx, r, engine.PlanOptions{DryRun: engine.DryRunNone, UnsafeDelete: a.opts.UnsafeDelete})
	}))
	if err != nil {
		return nil, err
	}
	if len(beyond) > 0 {
		return nil, &BeyondError{Key: r.Key, Beyond: beyond}
	}
	return plan, nil
}

// notOutdated refuses the plan of a member whose release has a newer revision, unless
// that was recorded for the same plan by a call that did not end.
func (m *MemberPlan) notOutdated(ctx context.Context, e *engine.Engine, now *engine.Plan) error {
	if now.From == m.Plan.From {
		return nil
	}
	if now.From > m.Plan.From {
		newest, err := e.Get(ctx, now.Key, now.From)
		if err != nil {
			return err
		}
		if newest.Revision.Labels[LabelPlan] == planLabel(m, now.From) {
			return nil
		}
	}
	return &engine.StalePlanError{Key: now.Key, Then: revisionText(m.Plan.From), Now: revisionText(now.From)}
}

func revisionText(n int) string {
	if n == 0 {
		return "not installed"
	}
	return fmt.Sprintf("at revision %d", n)
}

// sameInputs refuses a member whose chart, or values as far as they were known, are
// others than when the plan was made. Without Options.PlanKey that is found by what
// the plan shows alone, which a plan that must be signed does not rely on.
func (a *application) sameInputs(m *member, mp *MemberPlan, rendered *twin, in inputs) error {
	known := maps.Clone(in.known)
	for _, u := range mp.Unknown {
		delete(known, u.Path)
	}
	is, err := a.digestInputs(m, mp.Plan.Nonce, rendered, known)
	if err != nil {
		return err
	}
	hint := "set the same Options.PlanKey where the plan is made and where it is applied"
	switch {
	case is == "" && len(a.settings[m.engine].PlanSigners) > 0:
		return &engine.Error{Op: "apply", Key: m.key(), Hint: hint, Err: fmt.Errorf("%w: what is not known yet can be signed only under a key", engine.ErrPlanDigest)}
	case (is == "") != (mp.InputsDigest == ""):
		return &engine.Error{Op: "apply", Key: m.key(), Hint: hint, Err: fmt.Errorf("%w: only one of the two programs has a key", engine.ErrPlanDigest)}
	case !hmac.Equal([]byte(is), []byte(mp.InputsDigest)):
		return &engine.StalePlanError{Key: m.key(), Field: "chart or values", Then: "those of the plan", Now: "others"}
	}
	return nil
}

// digestInputs is a digest of what a member is rendered from: its chart, and its
// values with the inputs that were known when the plan was made, by path; empty without
// Options.PlanKey.
func (s *Stack) digestInputs(m *member, nonce string, rendered *twin, known map[string]any) (string, error) {
	secret := s.settings[m.engine].PlanKey
	if len(secret) == 0 {
		return "", nil
	}
	if rendered.first == nil {
		return "", errors.New("the source was not rendered")
	}
	key, err := hkdf.Key(sha256.New, secret, []byte(nonce), planSchema+" inputs", sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive the key of the digest: %w", err)
	}
	given := map[string]any{}
	paths := []string{}
	for path, value := range known {
		names, _ := splitPath(path)
		put(given, names, value)
		paths = append(paths, path)
	}
	slices.Sort(paths)
	values, err := over(m.Release.Values, given)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{m.Name, m.key(), rendered.first.Chart.Digest, paths, values.Map()})
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return "hmac-sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
