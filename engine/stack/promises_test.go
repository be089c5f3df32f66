package stack_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// Taking back leaves the definitions of crds/ directories, and the namespaces of
// CreateNamespace.
func TestTakeBackLeavesDefinitionsAndNamespaces(t *testing.T) {
	f := newFixture(t)
	later := f.namespace + "-later"
	definitions := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	definition := "things." + f.namespace + ".example.com"
	t.Cleanup(func() {
		f.deleteNamespace(later)
		if err := definitions.Delete(context.Background(), definition, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
	base := f.member("base", map[string]string{"crds/thing.yaml": f.thingDefinition(), "a.yaml": configMap("base", "  a: b\n")})
	base.Release.Namespace, base.Release.CreateNamespace = later, true
	var on atomic.Bool
	on.Store(true)
	failing := f.member("failing", map[string]string{"a.yaml": configMap("failing", "  a: b\n")})
	failing.Engine, failing.Needs = f.failing("failing", &on), []string{"base"}
	s := f.stack(base, failing)
	_, err := s.Apply(f.ctx, f.plan(s), stack.ApplyOptions{OnFailure: stack.TakeBack})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || !slices.Contains(failed.TakenBack, "base") || len(failed.NotTakenBack) > 0 {
		t.Fatalf("%v", err)
	}
	if _, err := f.engine.History(f.ctx, base.Release.Key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("base is still there: %v", err)
	}
	if _, err := f.client.CoreV1().Namespaces().Get(f.ctx, later, metav1.GetOptions{}); err != nil {
		t.Errorf("the namespace: %v", err)
	}
	if _, err := definitions.Get(f.ctx, definition, metav1.GetOptions{}); err != nil {
		t.Errorf("the definition: %v", err)
	}
}

// A call whose context ends takes nothing back, and begins no further member.
func TestCancelledCallTakesNothingBack(t *testing.T) {
	f := newFixture(t)
	s := f.stack(f.diamond("1", f.engine)...)
	plan := f.plan(s)
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	var begun []string
	_, err := s.Apply(ctx, plan, stack.ApplyOptions{OnFailure: stack.TakeBack, Concurrency: 1, OnEvent: func(e stack.Event) {
		switch e.State {
		case stack.MemberStarted:
			begun = append(begun, e.Member)
		case stack.MemberDone:
			cancel()
		case stack.MemberReverting:
			t.Errorf("%s is taken back", e.Member)
		}
	}})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || !errors.Is(err, context.Canceled) || len(failed.TakenBack) > 0 || len(begun) != 1 || len(failed.Skipped) != 4 {
		t.Fatalf("%v; begun were %v", err, begun)
	}
	if f.data(begun[0]) == nil {
		t.Errorf("%s was taken back", begun[0])
	}
	f.apply(s, plan)
	if f.data("top") == nil {
		t.Error("the same plan does not go on")
	}
}

// Without GoOn no further member is begun after a failure; no more members are applied
// at once than Concurrency says; and what left the stack goes after the members.
func TestOrderOfApply(t *testing.T) {
	f := newFixture(t)
	var on atomic.Bool
	on.Store(true)
	base := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")})
	base.Engine = f.failing("base", &on)
	members := []stack.Member{base}
	for _, name := range []string{"b", "c", "d"} {
		members = append(members, f.member(name, map[string]string{"a.yaml": configMap(name, "  a: b\n")}))
	}
	whole := f.stack(append(members[1:len(members):len(members)], f.member("left", map[string]string{"a.yaml": configMap("left", "  a: b\n")}))...)
	f.apply(whole, f.plan(whole))
	s := f.stack(members...)
	plan, err := s.Plan(f.ctx, stack.PlanOptions{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(f.ctx, plan, stack.ApplyOptions{Concurrency: 1})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || !errors.Is(err, stack.ErrStopped) {
		t.Fatalf("%v", err)
	}
	on.Store(false)
	for _, limit := range []int{1, 2} {
		now, most := 0, 0
		var ended []string
		plan, err := s.Plan(f.ctx, stack.PlanOptions{Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{Concurrency: limit, OnEvent: func(e stack.Event) {
			switch e.State {
			case stack.MemberStarted:
				now++
				most = max(most, now)
			case stack.MemberDone:
				now--
				ended = append(ended, e.Member)
			}
		}}); err != nil {
			t.Fatal(err)
		}
		if most > limit || limit == 1 && (len(ended) != 5 || ended[4] != f.namespace+"/left") {
			t.Errorf("%d at once, limit %d; they ended as %v", most, limit, ended)
		}
	}
}

// Only the definitions of members that are needed are assumed, those that are needed
// through others included.
func TestOnlyNeededDefinitionsAreAssumed(t *testing.T) {
	f := newFixture(t)
	definitions := f.member("definitions", map[string]string{"crd.yaml": f.thingDefinition()})
	middle := f.member("middle", map[string]string{"a.yaml": configMap("middle", "  a: b\n")})
	middle.Needs = []string{"definitions"}
	user := f.member("user", map[string]string{"a.yaml": "apiVersion: " + f.namespace + ".example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 3}\n"})
	if _, err := f.stack(definitions, middle, user).Plan(f.ctx, stack.PlanOptions{}); !errors.Is(err, engine.ErrUnknownKind) {
		t.Errorf("without a need: %v", err)
	}
	user.Needs = []string{"middle"}
	plan := f.plan(f.stack(definitions, middle, user))
	if i := slices.IndexFunc(plan.Members, func(m stack.MemberPlan) bool { return m.Member == "user" }); len(plan.Members[i].Assumed) != 1 {
		t.Errorf("assumed are %v", plan.Members[i].Assumed)
	}
}

// A plan that was stored may say that something is not known yet only of inputs that
// are there, and of what members before bring.
func TestNothingIsUnknownWithoutReason(t *testing.T) {
	f := newFixture(t)
	s := f.signedStack("1")
	text := stored(t, f.plan(s))
	for name, edit := range map[string]func(*stack.Plan){
		"an input that is not there": func(p *stack.Plan) {
			p.Members[2].Unknown = []stack.UnknownInput{{Path: "version", Output: p.Members[1].Unknown[0].Output}}
		},
		"another output": func(p *stack.Plan) { p.Members[1].Unknown[0].Output = "base: notes" },
		"an input twice": func(p *stack.Plan) { p.Members[1].Unknown = append(p.Members[1].Unknown, p.Members[1].Unknown[0]) },
		"an object that no member brings": func(p *stack.Plan) {
			p.Members[2].Assumed = append(p.Members[2].Assumed, p.Members[0].Plan.Report.Changes[0].Object)
		},
		"an uncertain object": func(p *stack.Plan) {
			p.Members[2].Uncertain = append(p.Members[2].Uncertain, p.Members[2].Plan.Report.Changes[0].Object)
		},
		"a digest of what is known": func(p *stack.Plan) { p.Members[2].InputsDigest = "hmac-sha256:00" },
		"no nonce":                  func(p *stack.Plan) { p.Members[1].Plan.Nonce = "" },
		"a nonce that is a label": func(p *stack.Plan) {
			p.Members[1].Plan.Nonce = strings.Repeat("g", 32)
		},
	} {
		p := read(t, text)
		edit(p)
		f.requests.Reset()
		if _, err := s.Apply(f.ctx, p, stack.ApplyOptions{}); !errors.Is(err, stack.ErrPlanStack) && !errors.Is(err, stack.ErrPlanInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(f.requests.Requests()); n > 0 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	// What is claimed to be known is compared as any plan of the engine.
	p := read(t, text)
	p.Members[1].Unknown, p.Members[1].Uncertain, p.Members[1].InputsDigest = nil, nil, ""
	if _, err := s.Apply(f.ctx, p, stack.ApplyOptions{}); err == nil || f.data("user") != nil {
		t.Errorf("a member whose unknown was dropped: %v", err)
	}
}
