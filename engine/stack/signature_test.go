package stack_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// signer is a reviewer, and signedEngine applies only what they have signed.
func signer(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var planKey = []byte(strings.Repeat("k", 32))

func (f *fixture) signedEngine(e *engine.Engine, keys ...crypto.PublicKey) *engine.Engine {
	f.Helper()
	out, err := e.With(func(o *engine.Options) { o.PlanSigners, o.PlanKey = keys, planKey })
	if err != nil {
		f.Fatal(err)
	}
	return out
}

// signedStack has all that a plan can hold: a member that is known, one whose input is
// not and that has a Secret, one behind it, and a release that left.
func (f *fixture) signedStack(version string, change ...func(user *stack.Member)) *stack.Stack {
	user := f.member("user", map[string]string{
		"a.yaml": configMap("user", "  host: {{ .Values.host }}\n  version: {{ .Values.version | quote }}\n"),
		"b.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: user}\nstringData: {password: {{ .Values.password }}}\n",
	}, "version="+version, "password=correct-horse")
	user.Inputs = stack.Inputs{"host": clusterIP("base")}
	for _, c := range change {
		c(&user)
	}
	last := f.member("last", map[string]string{"a.yaml": configMap("last", "  version: {{ .Values.version | quote }}\n")}, "version="+version)
	last.Needs = []string{"user"}
	return f.stack(f.member("base", map[string]string{"a.yaml": service}), user, last)
}

// stored is the JSON of a plan or result, and read a plan of it.
func stored(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t testing.TB, text string) *stack.Plan {
	t.Helper()
	p := &stack.Plan{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// signed is a plan that was stored, read and signed by its reviewer.
func signed(t testing.TB, p *stack.Plan, by crypto.Signer, opts engine.SignOptions) *stack.Plan {
	t.Helper()
	out := read(t, stored(t, p))
	if err := out.Sign(by, opts); err != nil {
		t.Fatal(err)
	}
	return read(t, stored(t, out))
}

// edits are all single edits of a document: each value changed, each member and item
// left out, repeated, or exchanged with the next.
func edits(doc any, path string, edit func(path string)) {
	scalar := func(v any) any {
		switch v := v.(type) {
		case string:
			return v + "x"
		case bool:
			return !v
		case float64:
			return v + 1
		}
		return nil
	}
	switch v := doc.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at, was := path+"."+k, v[k]
			if other := scalar(was); other != nil {
				v[k] = other
				edit("change " + at)
			}
			delete(v, k)
			edit("drop " + at)
			v[k] = was
			if list, ok := was.([]any); ok {
				editList(list, at, func(what string, to []any) {
					v[k] = to
					edit(what)
				}, scalar)
			}
			v[k] = was
			edits(was, at, edit)
		}
	case []any:
		for i := range v {
			edits(v[i], fmt.Sprintf("%s[%d]", path, i), edit)
		}
	}
}

func editList(list []any, at string, edit func(string, []any), scalar func(any) any) {
	for i := range list {
		edit(fmt.Sprintf("drop %s[%d]", at, i), slices.Delete(slices.Clone(list), i, i+1))
		edit(fmt.Sprintf("repeat %s[%d]", at, i), slices.Insert(slices.Clone(list), i, list[i]))
		if i > 0 {
			swapped := slices.Clone(list)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			edit(fmt.Sprintf("swap %s[%d]", at, i), swapped)
		}
		if other := scalar(list[i]); other != nil {
			changed := slices.Clone(list)
			changed[i] = other
			edit(fmt.Sprintf("change %s[%d]", at, i), changed)
		}
	}
}

// No edit of a signed plan gets through: whatever is changed, left out, repeated or
// exchanged is refused before anything is read.
func TestEverySignedFieldIsCovered(t *testing.T) {
	f := newFixture(t)
	whole := f.stack(f.member("more", map[string]string{"a.yaml": configMap("more", "  a: b\n")}))
	f.apply(whole, f.plan(whole))
	reviewer := signer(t)
	f.engine = f.signedEngine(f.engine, reviewer.Public())
	s := f.signedStack("1")
	plan, err := s.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Pruned) != 1 || !plan.Members[1].Later() || plan.Members[1].InputsDigest == "" {
		t.Fatalf("the plan has not all: %+v", plan)
	}
	text := stored(t, signed(t, plan, reviewer, engine.SignOptions{By: "release managers", ValidFor: time.Hour}))
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	tried, same := 0, []string{}
	edits(doc, "", func(path string) {
		tried++
		edited, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var p stack.Plan
		if err := json.Unmarshal(edited, &p); err != nil {
			if !errors.Is(err, stack.ErrPlanInvalid) {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		if stored(t, &p) == text {
			same = append(same, path) // what is derived: nothing of it is read
			return
		}
		if _, err := s.Apply(f.ctx, &p, stack.ApplyOptions{}); !errors.Is(err, engine.ErrPlanSignature) && !errors.Is(err, engine.ErrPlanExpired) {
			t.Errorf("%s: %v", path, err)
		}
	})
	if n := len(f.requests.Requests()); n > 0 {
		t.Errorf("edited plans cost %d requests", n)
	}
	for _, path := range same {
		if !strings.HasSuffix(path, ".report.summary") {
			t.Errorf("%s makes no difference", path)
		}
	}
	t.Logf("%d edits, of which %d make no difference", tried, len(same))
	if tried < 500 || f.data("user") != nil || f.data("more") == nil {
		t.Errorf("%d edits; user is %v, more %v", tried, f.data("user"), f.data("more"))
	}
	if _, err := s.Apply(f.ctx, read(t, text), stack.ApplyOptions{}); err != nil {
		t.Errorf("the plan as it was signed: %v", err)
	}
	if f.data("user")["host"] == "" || f.data("last") == nil || f.data("more") != nil {
		t.Errorf("user is %v, last %v, more %v", f.data("user"), f.data("last"), f.data("more"))
	}
}

// Plans that are put together of signed ones, signed by others or for another time or
// stack are refused before anything is read, those of this process too.
func TestSignedPlansThatAreRefused(t *testing.T) {
	f := newFixture(t)
	reviewer, other := signer(t), signer(t)
	unsigned := f.engine
	f.engine = f.signedEngine(f.engine, reviewer.Public())
	s := f.signedStack("1")
	plan := f.plan(s)
	again := signed(t, f.plan(s), reviewer, engine.SignOptions{})
	edited := func(change func(*stack.Plan)) *stack.Plan {
		out := signed(t, plan, reviewer, engine.SignOptions{})
		change(out)
		return out
	}
	one, two := f.signedEngine(f.engine, reviewer.Public()), f.signedEngine(f.engine, other.Public())
	base, more := f.member("base", map[string]string{"a.yaml": service}), f.member("more", map[string]string{"a.yaml": service})
	base.Engine, more.Engine = one, two
	both := f.stack(base, more)
	for name, c := range map[string]struct {
		stack *stack.Stack
		plan  *stack.Plan
		want  error
	}{
		"not signed":                      {s, read(t, stored(t, plan)), engine.ErrPlanSignature},
		"not signed, of this process":     {s, plan, engine.ErrPlanSignature},
		"signed by another key":           {s, signed(t, plan, other, engine.SignOptions{}), engine.ErrPlanSignature},
		"expired":                         {s, signed(t, plan, reviewer, engine.SignOptions{ValidFor: time.Nanosecond}), engine.ErrPlanExpired},
		"members of another signed plan":  {s, edited(func(p *stack.Plan) { p.Members = again.Members }), engine.ErrPlanSignature},
		"a member of another signed plan": {s, edited(func(p *stack.Plan) { p.Members[2] = again.Members[2] }), engine.ErrPlanSignature},
		"another signature":               {s, edited(func(p *stack.Plan) { p.Signature = again.Signature }), engine.ErrPlanSignature},
		"a member that is signed alone": {s, edited(func(p *stack.Plan) {
			p.Signature = nil
			if err := p.Members[0].Plan.Sign(reviewer, engine.SignOptions{}); err != nil {
				t.Error(err)
			}
		}), engine.ErrPlanSignature},
		"of another stack": {s, edited(func(p *stack.Plan) {
			p.Stack = "other"
			if err := p.Sign(reviewer, engine.SignOptions{}); err != nil {
				t.Error(err)
			}
		}), stack.ErrPlanStack},
		"signed for one of two engines": {both, signed(t, f.plan(both), reviewer, engine.SignOptions{}), engine.ErrPlanSignature},
	} {
		f.requests.Reset()
		if _, err := c.stack.Apply(f.ctx, c.plan, stack.ApplyOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(f.requests.Requests()); n > 0 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	if _, err := s.Apply(f.ctx, again, stack.ApplyOptions{UnsafeBeyond: true}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("beyond what was signed: %v", err)
	}
	nowhere := read(t, stored(t, plan))
	nowhere.Members[1].Plan.Cluster = ""
	if err := nowhere.Sign(reviewer, engine.SignOptions{}); !errors.Is(err, engine.ErrPlanCluster) || nowhere.Signature != nil {
		t.Errorf("a plan that names no cluster: %v", err)
	}
	if err := plan.Sign(nil, engine.SignOptions{}); err == nil || plan.Signature != nil {
		t.Errorf("signed by no one: %v", err)
	}
	if err := plan.Sign(reviewer, engine.SignOptions{ValidFor: -1}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("a negative validity: %v", err)
	}
	f.engine = unsigned // engines that need no signature accept one, while it lasts
	open := f.signedStack("1")
	if _, err := open.Apply(f.ctx, signed(t, plan, reviewer, engine.SignOptions{ValidFor: time.Nanosecond}), stack.ApplyOptions{}); !errors.Is(err, engine.ErrPlanExpired) {
		t.Errorf("expired, without keys: %v", err)
	}
	if f.data("base") != nil || f.data("user") != nil {
		t.Error("something was applied")
	}
}

// What is planned again at its turn is applied within what was signed: not for another
// chart or other values, and not without a key for the digest of what is hidden.
func TestSignedMembersArePlannedAgain(t *testing.T) {
	f := newFixture(t)
	reviewer := signer(t)
	f.engine = f.signedEngine(f.engine, reviewer.Public())
	s := f.signedStack("1")
	plan := signed(t, f.plan(s), reviewer, engine.SignOptions{})
	keyless, err := f.engine.With(func(o *engine.Options) { o.PlanKey = nil })
	if err != nil {
		t.Fatal(err)
	}
	var stale *engine.StalePlanError
	for name, c := range map[string]struct {
		stack *stack.Stack
		is    error
		as    any
	}{
		"another hidden value": {f.signedStack("1", func(m *stack.Member) {
			m.Release.Values = values(t, "version=1", "password=evil-horse")
		}), nil, &stale},
		"another chart that shows the same": {f.signedStack("1", func(m *stack.Member) {
			m.Release.Source = chart(t, "user", map[string]string{
				"a.yaml": configMap("user", "  host: {{ .Values.host }}\n  version: {{ .Values.version | quote }}\n"),
				"b.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: user}\nstringData: {password: {{ .Values.password | upper }}}\n",
			})
		}), nil, &stale},
		"without a key": {f.signedStack("1", func(m *stack.Member) { m.Engine = keyless }), engine.ErrPlanDigest, nil},
	} {
		_, err := c.stack.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true})
		if err == nil || c.is != nil && !errors.Is(err, c.is) || c.as != nil && !errors.As(err, c.as) {
			t.Errorf("%s: %v", name, err)
		}
		if f.data("user") != nil {
			t.Errorf("%s was applied", name)
		}
	}
	f.apply(s, plan)
	f.apply(s, plan) // again
	if f.data("user")["host"] == "" || f.data("last") == nil {
		t.Errorf("applied is %v", f.data("user"))
	}
	// An older plan is not applied over what came later.
	next := f.signedStack("2")
	f.apply(next, signed(t, f.plan(next), reviewer, engine.SignOptions{}))
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true}); !errors.As(err, &stale) || f.data("user")["version"] != "2" {
		t.Errorf("an older plan: %v; user is %v", err, f.data("user"))
	}
	down, err := next.PlanUninstall(f.ctx, stack.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Apply(f.ctx, down, stack.ApplyOptions{}); !errors.Is(err, engine.ErrPlanSignature) {
		t.Errorf("an uninstall that is not signed: %v", err)
	}
	f.apply(next, signed(t, down, reviewer, engine.SignOptions{}))
	if f.data("user") != nil {
		t.Error("it is still there")
	}
}

// Taking back is part of applying a signed plan, and a signed plan is gone on with.
func TestSignedPlanIsTakenBackAndResumed(t *testing.T) {
	f := newFixture(t)
	reviewer := signer(t)
	var on atomic.Bool
	on.Store(true)
	f.engine = f.signedEngine(f.failing("last", &on), reviewer.Public())
	s := f.signedStack("1")
	plan := signed(t, f.plan(s), reviewer, engine.SignOptions{})
	var failed *stack.ApplyError
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{}); !errors.As(err, &failed) || f.data("user") == nil {
		t.Fatalf("%v", err)
	}
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{OnFailure: stack.TakeBack}); !errors.As(err, &failed) || len(failed.NotTakenBack) > 0 {
		t.Fatalf("%v", err)
	}
	on.Store(false)
	plan = signed(t, f.plan(s), reviewer, engine.SignOptions{})
	f.apply(s, plan)
	if f.data("last") == nil {
		t.Error("it was not gone on with")
	}
	next := f.signedStack("2")
	plan = signed(t, f.plan(next), reviewer, engine.SignOptions{})
	on.Store(true)
	if _, err := next.Apply(f.ctx, plan, stack.ApplyOptions{OnFailure: stack.TakeBack}); !errors.As(err, &failed) || !slices.Contains(failed.TakenBack, "user") || len(failed.NotTakenBack) > 0 {
		t.Fatalf("%v", err)
	}
	if f.data("user")["version"] != "1" {
		t.Errorf("user is %v", f.data("user"))
	}
}
