package stack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// A stack without members plans, applies and reports nothing, and prunes all that it
// has had.
func TestEmptyStack(t *testing.T) {
	f := newFixture(t)
	empty := f.stack()
	for _, plan := range []func(context.Context, stack.PlanOptions) (*stack.Plan, error){empty.Plan, empty.PlanUninstall} {
		p, err := plan(f.ctx, stack.PlanOptions{Prune: true})
		if err != nil || p.Changed() || p.Err() != nil {
			t.Fatalf("%+v %v", p, err)
		}
		for format, text := range shown(t, p) {
			if text == "" {
				t.Errorf("%s is empty", format)
			}
		}
		if _, err := empty.Apply(f.ctx, read(t, stored(t, p)), stack.ApplyOptions{}); err != nil {
			t.Error(err)
		}
	}
	status, err := empty.Status(f.ctx)
	if err != nil || !status.Ready || len(status.Members) != 0 {
		t.Errorf("%+v %v", status, err)
	}
	if drift, err := empty.Drift(f.ctx); err != nil || drift.Drifted() {
		t.Errorf("%+v %v", drift, err)
	}
	full := f.stack(f.member("a", map[string]string{"a.yaml": configMap("a", "  a: b\n")}))
	f.apply(full, f.plan(full))
	if plan := f.plan(empty); len(plan.Left) != 1 {
		t.Errorf("left is %v", plan.Left)
	}
	plan, err := empty.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil || len(plan.Pruned) != 1 {
		t.Fatalf("%+v %v", plan, err)
	}
	if result := f.apply(empty, read(t, stored(t, plan))); len(result.Pruned) != 1 || f.data("a") != nil {
		t.Errorf("%+v; a is %v", result, f.data("a"))
	}
	none, err := stack.New("none", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := none.Plan(f.ctx, stack.PlanOptions{}); err != nil || p.Changed() {
		t.Errorf("without an engine: %v", err)
	}
}

// Names up to what Kubernetes accepts are deployed, with their needs recorded, and
// found again.
func TestOddNames(t *testing.T) {
	f := newFixture(t)
	names := []string{strings.Repeat("n", 53), "a.b", "a-b", "a--b", "a", "0"}
	var members []stack.Member
	for i, name := range names {
		m := f.member(name, map[string]string{"a.yaml": configMap(fmt.Sprintf("odd-%d", i), "  a: b\n")})
		if i > 0 {
			m.Needs = []string{names[i-1]}
		}
		members = append(members, m)
	}
	members[0].Name = strings.Repeat("N", 63)
	members[1].Needs = []string{members[0].Name}
	name := f.namespace[len(f.namespace)-6:] + "." + strings.Repeat("s", 56)
	s, err := stack.New(name, f.engine, members...)
	if err != nil {
		t.Fatal(err)
	}
	f.apply(s, read(t, stored(t, f.plan(s))))
	if again := f.plan(s); again.Changed() {
		t.Errorf("it changes again:\n%s", shown(t, again)["text"])
	}
	last, err := stack.New(name, f.engine, members[:1]...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := last.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil || len(plan.Pruned) != 5 || plan.Pruned[0].Plan.Key.Name != "0" || plan.Pruned[4].Plan.Key.Name != "a.b" {
		t.Fatalf("%+v %v", plan, err)
	}
	f.apply(last, plan)
	list, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
	if err != nil || len(list) != 1 || list[0].Key != members[0].Release.Key {
		t.Errorf("%v %v", list, err)
	}
}

// Two engines for one cluster cannot have one release as two members.
func TestTwoEnginesOfOneCluster(t *testing.T) {
	f := newFixture(t)
	a := f.member("a", map[string]string{"a.yaml": configMap("a", "  a: b\n")})
	b := a
	b.Name, b.Engine = "b", newEngine(t, f.config)
	s := f.stack(a, b)
	var duplicate *stack.DuplicateError
	if _, err := s.Plan(f.ctx, stack.PlanOptions{}); !errors.As(err, &duplicate) {
		t.Errorf("%v", err)
	}
	f.apply(f.stack(a), f.plan(f.stack(a)))
	if _, err := s.PlanUninstall(f.ctx, stack.PlanOptions{}); !errors.As(err, &duplicate) {
		t.Errorf("%v", err)
	}
}

// Whole numbers are integers and floats alike; nothing is lost by that, and other
// values are of another type.
func TestTypesOfOutputs(t *testing.T) {
	f := newFixture(t)
	base := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")})
	is := func(v any) stack.Output {
		return stack.Func(func(context.Context, []any) (any, error) { return v, nil })
	}
	for name, c := range map[string]struct {
		output stack.Output
		want   string // empty: ErrOutputType
	}{
		"a float as an integer":        {is(3.0).Int(), "3"},
		"an integer":                   {is(3).Int(), "3"},
		"a large float":                {is(float64(1 << 53)).Int(), "9007199254740992"},
		"an integer as a float":        {is(int64(3)).Like(1.5, 2.5), "3"},
		"a fraction":                   {is(3.5).Like(1.5, 2.5), "3.5"},
		"a fraction as an integer":     {is(3.5).Int(), ""},
		"too large for an integer":     {is(1e300).Int(), ""},
		"too large to be exact":        {is(float64(1<<53) * 2).Int(), ""},
		"too large to be exact, float": {is(int64(1<<53)+1).Like(1.5, 2.5), ""},
		"a text as an integer":         {is("3").Int(), ""},
		"an integer as a text":         {is(3), ""},
		"a bool":                       {is(true).Bool(), "true"},
		"a text as a bool":             {is("true").Bool(), ""},
		"nothing":                      {is(nil), ""},
	} {
		user := f.member("user", map[string]string{"a.yaml": configMap("user", "  x: {{ .Values.x | quote }}\n")})
		user.Needs, user.Inputs = []string{"base"}, stack.Inputs{"x": c.output}
		plan, err := f.stack(base, user).Plan(f.ctx, stack.PlanOptions{})
		if c.want == "" {
			if !errors.Is(err, stack.ErrOutputType) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := stored(t, plan.Members[1]); !strings.Contains(text, `"path":"data.x","desired":"`+c.want+`"`) {
			t.Errorf("%s: it is not %s: %s", name, c.want, text)
		}
	}
}

// A call that is cancelled at any of its requests loses nothing: the same call goes on,
// and ends as if it had not been cancelled.
func TestCancelledAtAnyRequest(t *testing.T) {
	f := newFixture(t)
	f.ctx = t.Context() // all points take minutes on a machine that is busy
	var sent, at atomic.Int64
	var cancel atomic.Pointer[context.CancelFunc]
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if sent.Add(1) == at.Load() {
				(*cancel.Load())()
			}
			return next.RoundTrip(req)
		})
	})
	f.engine = newEngine(t, cfg)
	// until returns a context that ends with the k-th request; 0: never.
	until := func(k int64) context.Context {
		ctx, stop := context.WithCancel(f.ctx)
		t.Cleanup(stop)
		cancel.Store(&stop)
		sent.Store(0)
		at.Store(k)
		return ctx
	}
	f.namespace = f.cluster.Namespace(t)
	first := f.diamond("0", f.engine)
	f.apply(f.stack(first...), f.plan(f.stack(first...)))
	var counts []string
	for version, call := range map[string]func(ctx context.Context, s *stack.Stack, p *stack.Plan) (string, error){
		"1": func(ctx context.Context, s *stack.Stack, _ *stack.Plan) (string, error) {
			p, err := s.Plan(ctx, stack.PlanOptions{})
			if err != nil {
				return "", err
			}
			return p.Summary(), nil
		},
		"2": func(ctx context.Context, s *stack.Stack, p *stack.Plan) (string, error) {
			_, err := s.Apply(ctx, p, stack.ApplyOptions{})
			return fmt.Sprint(f.data("base"), f.data("left"), f.data("right"), f.data("top"), f.data("alone")), err
		},
		"3": func(ctx context.Context, s *stack.Stack, _ *stack.Plan) (string, error) {
			p, err := s.PlanUninstall(ctx, stack.PlanOptions{})
			if err == nil {
				_, err = s.Apply(ctx, p, stack.ApplyOptions{})
			}
			return fmt.Sprint(f.data("base"), f.data("left"), f.data("right"), f.data("top"), f.data("alone")), err
		},
	} {
		cancelled := 0
		for k := int64(1); k < 400; k += 13 {
			f.namespace = f.cluster.Namespace(t)
			old := f.stack(f.diamond("0", f.engine)...)
			f.apply(old, f.plan(old))
			s := f.stack(f.diamond(version, f.engine)...)
			plan := f.plan(s)
			_, err := call(until(k), s, plan)
			until(0)
			if err == nil {
				break
			}
			cancelled++
			if !errors.Is(err, context.Canceled) {
				t.Errorf("version %s, cancelled at %d: %v", version, k, err)
			}
			got, err := call(f.ctx, s, plan)
			if err != nil {
				t.Errorf("version %s, cancelled at %d, and called again: %v", version, k, err)
			}
			want := map[string]string{
				"1": "5 releases: 5 to upgrade; 5 to update (version)",
				"2": strings.TrimSpace(strings.Repeat("map[version:2] ", 5)), "3": strings.TrimSpace(strings.Repeat("map[] ", 5)),
			}[version]
			if got != want {
				t.Errorf("version %s, cancelled at %d: %q, want %q", version, k, got, want)
			}
		}
		if counts = append(counts, fmt.Sprintf("version %s: %d", version, cancelled)); cancelled < 2 {
			t.Errorf("version %s was cancelled %d times only", version, cancelled)
		}
	}
	t.Logf("cancelled at %v points", counts)
}

// A stack of two hundred members costs ten times what one of twenty costs, in requests,
// in everything that is done with it.
func TestTwoHundredMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes on a machine that is busy")
	}
	f := newFixture(t)
	f.ctx = t.Context()
	requests := func(do func()) int {
		f.requests.Reset()
		do()
		n := 0
		for _, r := range f.requests.Requests() {
			if !strings.Contains(r.String(), "leases") { // renewed by the clock
				n++
			}
		}
		return n
	}
	f.namespace = f.cluster.Namespace(t)
	c := chart(t, "many", map[string]string{"a.yaml": configMap("{{ .Release.Name }}", "  a: {{ .Values.a | default \"b\" }}\n")})
	run := func(n int) map[string]int {
		f.namespace = f.cluster.Namespace(t)
		var members []stack.Member
		for i := range n {
			m := stack.Member{Release: engine.Release{Key: engine.Key{Namespace: f.namespace, Name: fmt.Sprintf("m%03d", i)}, Source: c}}
			switch i % 5 {
			case 1:
				m.Inputs = stack.Inputs{"a": stack.Notes(fmt.Sprintf("m%03d", i-1))}
			case 2, 3, 4:
				m.Needs = []string{fmt.Sprintf("m%03d", i-1)}
			}
			members = append(members, m)
		}
		s := f.stack(members...)
		out := map[string]int{}
		var plan *stack.Plan
		out["plan"] = requests(func() { plan = f.plan(s) })
		text := stored(t, plan)
		plan = read(t, text)
		out["apply"] = requests(func() { f.apply(s, plan) })
		out["status"] = requests(func() {
			if status, err := s.Status(f.ctx); err != nil || !status.Ready || len(status.Members) != n {
				t.Errorf("%+v %v", status, err)
			}
		})
		out["plan again"] = requests(func() {
			if again := f.plan(s); again.Changed() {
				t.Errorf("it changes again: %s", again.Summary())
			}
		})
		out["uninstall"] = requests(func() {
			down, err := s.PlanUninstall(f.ctx, stack.PlanOptions{})
			if err != nil || len(down.Members) != n {
				t.Fatalf("%v %v", down, err)
			}
			f.apply(s, down)
		})
		out["bytes of the plan"] = len(text)
		return out
	}
	run(2) // what is read once per engine
	few, many := run(20), run(200)
	t.Logf("20 members: %v; 200 members: %v", few, many)
	for what, n := range few {
		if many[what] > 10*n+n/2 {
			t.Errorf("%s: %d for 20 members, %d for 200", what, n, many[what])
		}
	}
}
