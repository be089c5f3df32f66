package stack_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// failing is an engine whose writes to an object fail while it is on.
func (f *fixture) failing(name string, on *atomic.Bool) *engine.Engine {
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if on.Load() && req.Method != http.MethodGet && strings.HasSuffix(req.URL.Path, "/"+name) && !req.URL.Query().Has("dryRun") {
				if req.Body != nil {
					req.Body.Close()
				}
				text := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"forbidden"}`
				return &http.Response{
					StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
					Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)),
				}, nil
			}
			return next.RoundTrip(req)
		})
	})
	return newEngine(f.T, cfg)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// diamond is a base, two that need it, one that needs both, and one on its own.
func (f *fixture) diamond(version string, e *engine.Engine) []stack.Member {
	var out []stack.Member
	for name, needs := range map[string][]string{"base": nil, "left": {"base"}, "right": {"base"}, "top": {"left", "right"}, "alone": nil} {
		m := f.member(name, map[string]string{"a.yaml": configMap("{{ .Release.Name }}", "  version: {{ .Values.version | quote }}\n")}, "version="+version)
		m.Needs = needs
		if name == "left" {
			m.Engine = e
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b stack.Member) int { return strings.Compare(a.Release.Name, b.Release.Name) })
	return out
}

// A failure skips what needs it, and says why; the rest goes on if asked, and the
// same call ends it. Events come in one stream.
func TestFailureSkipsDependants(t *testing.T) {
	f := newFixture(t)
	var on atomic.Bool
	s := f.stack(f.diamond("1", f.failing("left", &on))...)
	plan := f.plan(s)
	on.Store(true)
	var mu sync.Mutex
	states := map[string][]stack.MemberState{}
	events := 0
	_, err := s.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true, OnEvent: func(e stack.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Engine != nil {
			events++
			return
		}
		states[e.Member] = append(states[e.Member], e.State)
	}})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Member != "left" || len(failed.Skipped) != 1 || failed.Skipped[0].Member != "top" || failed.Skipped[0].Needs != "left" {
		t.Fatalf("%v", err)
	}
	if !errors.Is(err, stack.ErrNeededFailed) {
		t.Errorf("%v", err)
	}
	for name, want := range map[string][]stack.MemberState{
		"base": {stack.MemberPending, stack.MemberStarted, stack.MemberDone}, "left": {stack.MemberPending, stack.MemberStarted, stack.MemberFailed},
		"top": {stack.MemberPending, stack.MemberSkipped}, "alone": {stack.MemberPending, stack.MemberStarted, stack.MemberDone},
	} {
		if !slices.Equal(states[name], want) {
			t.Errorf("%s was %v, want %v", name, states[name], want)
		}
	}
	if events == 0 || f.data("right") == nil || f.data("alone") == nil || f.data("top") != nil {
		t.Errorf("%d events; right %v, alone %v, top %v", events, f.data("right"), f.data("alone"), f.data("top"))
	}
	on.Store(false)
	f.apply(s, plan)
	if again := f.plan(s); again.Changed() || f.data("top")["version"] != "1" {
		t.Errorf("it changes again: %s", shown(t, again)["text"])
	}
}

// After a failure the whole stack goes back to where it was, if asked.
func TestTakeBack(t *testing.T) {
	f := newFixture(t)
	var on atomic.Bool
	failing := f.failing("left", &on)
	first := f.stack(f.diamond("1", failing)...)
	on.Store(true)
	plan := f.plan(first)
	_, err := first.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true, OnFailure: stack.TakeBack})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || len(failed.TakenBack) == 0 {
		t.Fatalf("%v", err)
	}
	for _, name := range []string{"base", "right", "alone", "top"} {
		if f.data(name) != nil {
			t.Errorf("%s is still there", name)
		}
	}
	on.Store(false)
	f.apply(first, f.plan(first))
	second := f.stack(f.diamond("2", failing)...)
	plan = f.plan(second)
	on.Store(true)
	_, err = second.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true, OnFailure: stack.TakeBack})
	if !errors.As(err, &failed) || !slices.Contains(failed.TakenBack, "base") {
		t.Fatalf("%v", err)
	}
	on.Store(false)
	for _, name := range []string{"base", "left", "right", "alone", "top"} {
		if got := f.data(name)["version"]; got != "1" {
			t.Errorf("%s is at %q", name, got)
		}
	}
}

// A release that left the stack is shown, and uninstalled only if asked; the stack
// is uninstalled in reverse, unless another one needs a release of it.
func TestLeavingAndUninstall(t *testing.T) {
	f := newFixture(t)
	members := f.diamond("1", f.engine)
	whole := f.stack(members...)
	f.apply(whole, f.plan(whole))
	status, err := whole.Status(f.ctx)
	if err != nil || !status.Ready || len(status.Members) != 5 {
		t.Fatalf("%+v %v", status, err)
	}
	if history, err := whole.History(f.ctx); err != nil || len(history) != 5 {
		t.Errorf("%v %v", history, err)
	}
	less := f.stack(slices.DeleteFunc(slices.Clone(members), func(m stack.Member) bool { return m.Release.Name == "alone" })...)
	plan := f.plan(less)
	if len(plan.Left) != 1 || plan.Left[0].Name != "alone" || !strings.Contains(shown(t, plan)["text"], "alone left the stack") {
		t.Errorf("left is %v", plan.Left)
	}
	f.apply(less, plan)
	if f.data("alone") == nil {
		t.Error("it was deleted without being asked")
	}
	plan, err = less.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil || len(plan.Pruned) != 1 || !strings.Contains(shown(t, plan)["text"], "uninstall "+f.namespace+"/alone") {
		t.Fatalf("%+v %v", plan, err)
	}
	f.apply(less, plan)
	if f.data("alone") != nil {
		t.Error("it was not pruned")
	}
	f.apply(less, plan) // again

	outside := f.member("outside", map[string]string{"a.yaml": configMap("outside", "  a: b\n")})
	outside.Release.Labels = map[string]string{f.namespace + ".needs.fairlead.dev/base": "other"}
	if _, err := f.engine.Deploy(f.ctx, outside.Release, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	var needed *stack.NeededError
	if _, err := less.PlanUninstall(f.ctx, stack.PlanOptions{}); !errors.As(err, &needed) || needed.Key.Name != "base" || needed.By[0].Name != "outside" {
		t.Fatalf("%v", err)
	}
	plan, err = less.PlanUninstall(f.ctx, stack.PlanOptions{UnsafeNeeded: true})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	if _, err := less.Apply(f.ctx, plan, stack.ApplyOptions{OnEvent: func(e stack.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.State == stack.MemberDone {
			order = append(order, e.Member)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if len(order) != 4 || order[0] != "top" || order[3] != "base" {
		t.Errorf("the order was %v", order)
	}
	f.apply(less, plan) // again: all is gone
	if f.data("base") != nil || f.data("outside") == nil {
		t.Error("other releases were deleted than planned")
	}
	if status, err := less.Status(f.ctx); err != nil || status.Ready || !errors.Is(status.Members[0].Err, engine.ErrReleaseNotFound) {
		t.Errorf("%+v %v", status, err)
	}
}

// After a failure what left the stack stays, and is reported as skipped.
func TestFailureSkipsPruning(t *testing.T) {
	f := newFixture(t)
	var on atomic.Bool
	f.engine = f.failing("base", &on)
	member := func(name, version string) stack.Member {
		return f.member(name, map[string]string{"a.yaml": configMap(name, "  version: {{ .Values.version | quote }}\n")}, "version="+version)
	}
	whole, less := f.stack(member("base", "1"), member("more", "1")), f.stack(member("base", "2"))
	f.apply(whole, f.plan(whole))
	plan, err := less.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	more := f.namespace + "/more"
	var states []stack.MemberState
	_, err = less.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true, OnEvent: func(e stack.Event) {
		if e.Member == more && e.Engine == nil {
			states = append(states, e.State)
		}
	}})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || len(failed.Skipped) != 1 || failed.Skipped[0].Member != more || !errors.Is(err, stack.ErrStopped) {
		t.Errorf("%v", err)
	}
	if !slices.Equal(states, []stack.MemberState{stack.MemberPending, stack.MemberSkipped}) || f.data("more") == nil {
		t.Errorf("it was %v, and is %v", states, f.data("more"))
	}
	on.Store(false)
	f.apply(less, plan)
	if f.data("more") != nil || f.data("base")["version"] != "2" {
		t.Errorf("base is %v, more %v", f.data("base"), f.data("more"))
	}
}

// With permissions in the members' namespaces only, what left the stack is found
// there, and plans warn that it may be elsewhere.
func TestPermissionsInOneNamespace(t *testing.T) {
	f := newFixture(t)
	all := rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}
	f.engine = newEngine(t, f.cluster.User(t, f.namespace, all))
	base, more := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")}), f.member("more", map[string]string{"a.yaml": configMap("more", "  a: b\n")})
	whole, less := f.stack(base, more), f.stack(base)
	f.apply(whole, f.plan(whole))
	plan := f.plan(less)
	if len(plan.Left) != 1 || plan.Left[0] != more.Release.Key || !strings.Contains(shown(t, plan)["text"], "warning: the releases of a cluster cannot be listed") {
		t.Errorf("left is %v, warnings are %q", plan.Left, plan.Warnings)
	}
	plan, err := less.PlanUninstall(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil || len(plan.Pruned) != 1 || len(plan.Warnings) != 1 {
		t.Fatalf("%+v %v", plan, err)
	}
	f.apply(less, plan)
	if f.data("base") != nil || f.data("more") != nil {
		t.Error("something is still there")
	}
}

// Drift is that of all members; what cannot be read of one is in its entry.
func TestDriftOfMembers(t *testing.T) {
	f := newFixture(t)
	base, more := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")}), f.member("more", map[string]string{"a.yaml": configMap("more", "  a: b\n")})
	f.apply(f.stack(base), f.plan(f.stack(base)))
	s := f.stack(base, more)
	drift, err := s.Drift(f.ctx)
	if err != nil || drift.Drifted() || drift.Members[0].Err != nil || !errors.Is(drift.Members[1].Err, engine.ErrReleaseNotFound) {
		t.Fatalf("%+v %v", drift, err)
	}
	patch := []byte(`{"data":{"a":"by hand"}}`)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "base", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	drift, err = s.Drift(f.ctx)
	if err != nil || !drift.Drifted() || drift.Members[0].Report.Changes[0].Object.Name != "base" {
		t.Errorf("%+v %v", drift, err)
	}
}

// An engine that applies signed plans only applies no member that is planned again.
func TestSignedPlansOnly(t *testing.T) {
	f := newFixture(t)
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := f.engine.With(func(o *engine.Options) { o.PlanSigners = []crypto.PublicKey{public} })
	if err != nil {
		t.Fatal(err)
	}
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  host: {{ .Values.host }}\n")})
	user.Engine, user.Inputs = signed, stack.Inputs{"host": clusterIP("base")}
	s := f.stack(f.member("base", map[string]string{"a.yaml": service}), user)
	plan := f.plan(s)
	wantUnknown(t, plan, "user", "ConfigMap data.host")
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{}); !errors.Is(err, engine.ErrPlanSignature) || f.data("user") != nil {
		t.Errorf("%v; %v", err, f.data("user"))
	}
}

// A release of one stack cannot become a member of another one.
func TestOtherStack(t *testing.T) {
	f := newFixture(t)
	m := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")})
	s := f.stack(m)
	f.apply(s, f.plan(s))
	other, err := stack.New("other", f.engine, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Plan(f.ctx, stack.PlanOptions{}); !errors.Is(err, stack.ErrOtherStack) {
		t.Errorf("%v", err)
	}
}

// A need that a member does not have any more is no longer recorded.
func TestNeedsAreRecorded(t *testing.T) {
	f := newFixture(t)
	a, b := f.member("a", map[string]string{"a.yaml": configMap("a", "  a: b\n")}), f.member("b", map[string]string{"a.yaml": configMap("b", "  a: b\n")})
	b.Needs = []string{"a"}
	s := f.stack(a, b)
	f.apply(s, f.plan(s))
	labels := func() map[string]string {
		list, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
		if err != nil || len(list) != 2 {
			t.Fatal(list, err)
		}
		return list[1].Labels
	}
	need := f.namespace + ".needs.fairlead.dev/a"
	if got := labels(); got[stack.LabelStack] != f.namespace || got[need] != f.namespace {
		t.Errorf("labels are %v", got)
	}
	for _, taken := range []string{need, stack.LabelStack} {
		if _, err := s.Apply(f.ctx, f.plan(s), stack.ApplyOptions{Labels: map[string]string{taken: "x"}}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("the label %s of a call: %v", taken, err)
		}
	}
	b.Needs = nil
	s = f.stack(a, b)
	f.apply(s, f.plan(s))
	if got := labels(); got[need] != "" || got[stack.LabelStack] != f.namespace {
		t.Errorf("labels are %v", got)
	}
}

// What was known when the plan was made, and is another value now, is refused.
func TestInputChanges(t *testing.T) {
	f := newFixture(t)
	base := f.member("base", map[string]string{"a.yaml": service})
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  host: {{ .Values.host }}\n")})
	user.Inputs = stack.Inputs{"host": clusterIP("base")}
	s := f.stack(base, user)
	f.apply(s, f.plan(s))
	user.Release.Source = chart(t, "user", map[string]string{"a.yaml": configMap("user", "  address: {{ .Values.host }}\n")})
	s = f.stack(base, user)
	plan := f.plan(s)
	wantUnknown(t, plan, "user")
	if err := f.client.CoreV1().Services(f.namespace).Delete(context.Background(), "base", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Deploy(f.ctx, base.Release, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Apply(f.ctx, plan, stack.ApplyOptions{})
	var stale *engine.StalePlanError
	if err == nil || !errors.As(err, &stale) && !errors.Is(err, stack.ErrInputChanged) {
		t.Errorf("%v", err)
	}
}
