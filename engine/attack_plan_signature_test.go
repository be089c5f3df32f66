package engine_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// signersOf are keys of all kinds that are accepted.
func signersOf(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	out := map[string]crypto.Signer{}
	add := func(name string, s crypto.Signer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = s
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	add("Ed25519", ed, err)
	for name, curve := range map[string]elliptic.Curve{"ECDSA-SHA256": elliptic.P256(), "ECDSA-SHA384": elliptic.P384(), "ECDSA-SHA512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		add(name, key, err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	add("RSA-PSS-SHA256", key, err)
	return out
}

// signed returns the JSON of a plan that was read from text, with a signature.
func signed(t *testing.T, text string, signer crypto.Signer, opts engine.SignOptions) string {
	t.Helper()
	var plan engine.Plan
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatal(err)
	}
	if err := plan.Sign(signer, opts); err != nil {
		t.Fatal(err)
	}
	out := mustJSON(&plan)
	validPlan(t, out)
	return out
}

// An engine with PlanSigners applies only what one of them has signed, as it was
// signed.
func TestAttackSignatures(t *testing.T) {
	f := newFixture(t)
	signers := signersOf(t)
	plans := f.attackPlans()
	plan := plans["upgrade"]
	good, bad := signers["Ed25519"], signersOf(t)["Ed25519"]
	e, attempts := f.platform(engine.Options{PlanSigners: []crypto.PublicKey{good.Public()}})
	text := signed(t, plan.stored, good, engine.SignOptions{By: "reviewers", ValidFor: time.Hour})
	signature := func(path string, value any) string {
		doc := decodePlan(t, text)
		if !set("signature."+path, value)(doc) {
			t.Fatalf("no %s", path)
		}
		return mustJSON(doc)
	}
	value := decodePlan(t, text)["signature"].(map[string]any)["value"].(string)
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(raw)
	flipped[7] ^= 1
	later := time.Now().UTC().Add(1000 * time.Hour).Truncate(time.Second).Format(time.RFC3339)
	attacks := map[string]struct {
		text string
		want error
	}{
		"not signed":                 {plan.stored, engine.ErrPlanSignature},
		"signed by another key":      {signed(t, plan.stored, bad, engine.SignOptions{}), engine.ErrPlanSignature},
		"expired":                    {signed(t, plan.stored, good, engine.SignOptions{ValidFor: time.Nanosecond}), engine.ErrPlanExpired},
		"expired, with a later date": {signature("expires", later), engine.ErrPlanSignature},
		"with an earlier date":       {signature("at", "2001-01-01T00:00:00Z"), engine.ErrPlanSignature},
		"in another one's name":      {signature("by", "the director"), engine.ErrPlanSignature},
		"with another algorithm":     {signature("algorithm", "ECDSA-SHA256"), engine.ErrPlanSignature},
		"with no algorithm":          {signature("algorithm", "none"), engine.ErrPlanSignature},
		"with an empty algorithm":    {signature("algorithm", ""), engine.ErrPlanSignature},
		"without a value":            {signature("value", ""), nil},
		"with a bit flipped":         {signature("value", base64.StdEncoding.EncodeToString(flipped)), engine.ErrPlanSignature},
		"with the beginning of one":  {signature("value", base64.StdEncoding.EncodeToString(raw[:32])), engine.ErrPlanSignature},
		"with more behind it":        {signature("value", base64.StdEncoding.EncodeToString(append(slices.Clone(raw), 0))), engine.ErrPlanSignature},
		"with a value of zeros":      {signature("value", base64.StdEncoding.EncodeToString(make([]byte, 64))), engine.ErrPlanSignature},
		"with a huge value":          {signature("value", base64.StdEncoding.EncodeToString(make([]byte, 8<<20))), engine.ErrPlanSignature},
		"with a value that is none":  {signature("value", "reviewed!"), engine.ErrPlanInvalid},
		"with a date that is none":   {signature("expires", "never"), engine.ErrPlanInvalid},
		"with a date beyond all":     {signature("expires", "9999-12-31T23:59:59Z"), engine.ErrPlanSignature},
		"with an unknown member":     {signature("trusted", true), engine.ErrPlanInvalid},
		"with the signature of another plan": {func() string {
			doc, other := decodePlan(t, text), decodePlan(t, signed(t, plans["local"].stored, good, engine.SignOptions{}))
			doc["signature"] = other["signature"]
			return mustJSON(doc)
		}(), engine.ErrPlanSignature},
	}
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		a := attacks[name]
		f.requests.Reset()
		err := f.applyText(e, a.text, plan.opts)
		f.wantHarmless(name, err, attempts(), "no-neighbour")
		if a.want != nil && !errors.Is(err, a.want) {
			t.Errorf("%s: %v, want %v", name, err, a.want)
		}
		if n := len(f.requests.Requests()); n > 0 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	// Each edit of what was signed is refused before anything is read.
	for _, name := range slices.Sorted(maps.Keys(attackEdits)) {
		doc := decodePlan(t, text)
		attackEdits[name](doc)
		if mustJSON(doc) == mustJSON(decodePlan(t, text)) {
			continue
		}
		f.requests.Reset()
		f.wantHarmless(name+", signed", f.applyText(e, mustJSON(doc), plan.opts), attempts(), "no-neighbour")
		if n := len(f.requests.Requests()); n > 0 {
			t.Errorf("%s, signed: %d requests", name, n)
		}
	}
	// Calls that plan and apply in one are refused, and a plan of this process.
	_, deployErr := e.Deploy(f.ctx, *plan.opts.Release, engine.ApplyOptions{})
	_, rollbackErr := e.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
	_, rolloutErr := e.Rollout(f.ctx, f.key, engine.Rollout{Verb: engine.Restart}, engine.ApplyOptions{})
	made, err := e.Plan(f.ctx, *plan.opts.Release, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, applyErr := e.Apply(f.ctx, made, engine.ApplyOptions{})
	for name, err := range map[string]error{
		"Deploy": deployErr, "Rollback": rollbackErr, "Rollout": rolloutErr, "Apply": applyErr,
		"Uninstall": e.Uninstall(f.ctx, f.key, engine.ApplyOptions{}),
	} {
		if f.wantHarmless(name, err, attempts(), "no-neighbour"); !errors.Is(err, engine.ErrPlanSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Signed by any of the keys it is applied.
	var keys []crypto.PublicKey
	for _, s := range signers {
		keys = append(keys, s.Public())
	}
	e, attempts = f.platform(engine.Options{PlanSigners: keys})
	for name, signer := range signers {
		text := signed(t, plan.stored, signer, engine.SignOptions{By: name})
		if got := decodePlan(t, text)["signature"].(map[string]any)["algorithm"]; got != name {
			t.Errorf("%s: the algorithm is %v", name, got)
		}
		if err := f.applyText(e, text, plan.opts); len(attempts()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := made.Sign(good, engine.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(f.ctx, made, engine.ApplyOptions{}); len(attempts()) == 0 {
		t.Errorf("a plan of this process, signed: %v", err)
	}
}

// Keys that are too weak, or no keys, are refused; and a plan that names no
// cluster is not signed.
func TestSignersThatAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, good, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &engine.Plan{Cluster: "a/b"}
	for name, signer := range map[string]crypto.Signer{"RSA of 1024 bits": weak, "P-224": small, "none": nil} {
		if err := plan.Sign(signer, engine.SignOptions{}); err == nil || plan.Signature != nil {
			t.Errorf("%s: %v, %v", name, err, plan.Signature)
		}
	}
	if err := plan.Sign(good, engine.SignOptions{ValidFor: -1}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("a negative validity: %v", err)
	}
	if err := (&engine.Plan{}).Sign(good, engine.SignOptions{}); !errors.Is(err, engine.ErrPlanCluster) {
		t.Errorf("no cluster: %v", err)
	}
	for name, opts := range map[string]engine.Options{
		"an empty list":  {PlanSigners: []crypto.PublicKey{}},
		"nil":            {PlanSigners: []crypto.PublicKey{nil}},
		"a text":         {PlanSigners: []crypto.PublicKey{"key"}},
		"weak":           {PlanSigners: []crypto.PublicKey{weak.Public()}},
		"private":        {PlanSigners: []crypto.PublicKey{good}},
		"a short key":    {PlanSigners: []crypto.PublicKey{ed25519.PublicKey("short")}},
		"short plan key": {PlanKey: []byte(strings.Repeat("x", 31))},
		"empty plan key": {PlanKey: []byte{}},
	} {
		if _, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, opts); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
