package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

func (f *fixture) pair(version string) *stack.Stack {
	f.Helper()
	member := func(name string) stack.Member {
		return f.member(name, map[string]string{"a.yaml": configMap(name, "  version: {{ .Values.version | quote }}\n")}, "version="+version)
	}
	last := member("last")
	last.Needs = []string{"base"}
	return f.stack(member("base"), last)
}

// A plan that Plan has not made is refused, whatever was edited in it, and nothing
// of it is written.
func TestEditedPlanIsRefused(t *testing.T) {
	f := newFixture(t)
	other, err := stack.New("other-"+f.namespace, f.engine, f.member("foreign", map[string]string{"a.yaml": configMap("foreign", "  a: b\n")}))
	if err != nil {
		t.Fatal(err)
	}
	f.apply(other, f.plan(other))
	foreign, err := other.PlanUninstall(f.ctx, stack.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := f.pair("1")
	for name, edit := range map[string]func(*stack.Plan){
		"a member twice":       func(p *stack.Plan) { p.Members[1] = p.Members[0] },
		"swapped members":      func(p *stack.Plan) { slices.Reverse(p.Members) },
		"a removed member":     func(p *stack.Plan) { p.Members = p.Members[:1] },
		"another kind":         func(p *stack.Plan) { p.Kind, p.Members = "Other", p.Members[:1] },
		"no plan":              func(p *stack.Plan) { p.Members[0].Plan = nil },
		"nothing to prune":     func(p *stack.Plan) { p.Pruned = []stack.MemberPlan{{Member: "x"}} },
		"a member to prune":    func(p *stack.Plan) { p.Pruned = p.Members[:1] },
		"what is pruned twice": func(p *stack.Plan) { p.Pruned = append(foreign.Members, foreign.Members...) },
	} {
		p := f.plan(s)
		edit(p)
		if _, err := s.Apply(f.ctx, p, stack.ApplyOptions{}); !errors.Is(err, stack.ErrPlanStack) && !errors.Is(err, stack.ErrPlanInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.data("base") != nil {
		t.Error("a plan that was edited was applied")
	}
	p := f.plan(s)
	p.Pruned = foreign.Members
	p.Pruned[0].Member = p.Pruned[0].Plan.Key.String()
	if _, err := s.Apply(f.ctx, p, stack.ApplyOptions{}); !errors.Is(err, stack.ErrOtherStack) {
		t.Errorf("to prune what belongs to another stack: %v", err)
	}
	if f.data("foreign") == nil {
		t.Error("a release of another stack was uninstalled")
	}
}

// A plan that is refused because newer revisions came after it takes nothing back.
func TestStalePlanTakesNothingBack(t *testing.T) {
	f := newFixture(t)
	old, now := f.pair("1"), f.pair("2")
	plan := f.plan(old)
	f.apply(old, plan)
	f.apply(now, f.plan(now))
	_, err := old.Apply(f.ctx, plan, stack.ApplyOptions{OnFailure: stack.TakeBack})
	var failure *stack.ApplyError
	if !errors.As(err, &failure) || len(failure.TakenBack) > 0 {
		t.Errorf("%v", err)
	}
	if f.data("base")["version"] != "2" {
		t.Errorf("live is %v", f.data("base"))
	}
}

// A secret is hidden wherever the outputs of a member that is given it take it: its
// values, notes and fields, and what a function makes of it or says about it.
func TestSecretsInOutputs(t *testing.T) {
	f := newFixture(t)
	const secret = "correct-Horse-battery-9"
	generated := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "generated"}, StringData: map[string]string{"password": secret}}
	if _, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, generated, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	base := f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")})
	f.apply(f.stack(base), f.plan(f.stack(base)))
	password := stack.Field("base", diff.Object{Version: "v1", Kind: "Secret", Name: "generated"}, "data.password")
	user := func(name string, o stack.Output) stack.Member {
		m := f.member(name, map[string]string{"a.yaml": configMap(name, "  x: {{ .Values.x }}\n"), "NOTES.txt": "x is {{ .Values.x }}"})
		m.Inputs = stack.Inputs{"x": o}
		return m
	}
	upper := func(_ context.Context, v []any) (any, error) { return strings.ToUpper(v[0].(string)), nil }
	s := f.stack(base, user("a", password), user("value", stack.Value("a", "x")), user("notes", stack.Notes("value")),
		user("field", stack.Field("a", diff.Object{Version: "v1", Kind: "ConfigMap", Name: "a"}, "data.x")), user("made", stack.Func(upper, password)))
	for range 2 { // installed, and created again
		plan := f.plan(s)
		texts := shown(t, plan)
		texts["printed"] = fmt.Sprintf("%+v", plan)
		_, err := s.Apply(f.ctx, plan, stack.ApplyOptions{OnEvent: func(e stack.Event) { texts["events"] += fmt.Sprintf("%+v %s\n", e, e) }})
		if err != nil {
			t.Fatal(err)
		}
		for format, text := range texts {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s shows the secret:\n%s", format, text)
			}
		}
		for _, name := range []string{"value", "notes", "field", "made"} {
			if !strings.Contains(strings.ToLower(f.data(name)["x"]), strings.ToLower(secret)) {
				t.Errorf("%s is %v", name, f.data(name))
			}
			if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
	for name, fn := range map[string]func(context.Context, []any) (any, error){
		"an error": func(_ context.Context, v []any) (any, error) { return nil, fmt.Errorf("cannot parse %q", v[0]) },
		"a panic":  func(_ context.Context, v []any) (any, error) { panic(v[0]) },
	} {
		_, err := f.stack(base, user("made", stack.Func(fn, password))).Plan(f.ctx, stack.PlanOptions{})
		var output *stack.OutputError
		if !errors.As(err, &output) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Examples of any form stay out of plans, and plans stay plans: words of the JSON,
// texts that JSON escapes, numbers that the API server refuses.
func TestExamplesOfAnyForm(t *testing.T) {
	f := newFixture(t)
	user := f.member("user", map[string]string{
		"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: user}\nspec: {type: NodePort, ports: [{port: 80, nodePort: {{ .Values.port }}}]}\n",
		"b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: user, labels: {x: {{ .Values.host | quote }}}}\n",
	})
	user.Inputs = stack.Inputs{
		"port": stack.Field("base", diff.Object{Version: "v1", Kind: "Service", Name: "base"}, "spec.ports[0].nodePort").Int(),
		"host": clusterIP("base").Like("changes", "hooks<b>"),
	}
	s := f.stack(f.member("base", map[string]string{"a.yaml": service}), user)
	plan := f.plan(s)
	wantUnknown(t, plan, "user", "ConfigMap metadata.labels.x", "Service spec.ports[0].nodePort")
	for format, text := range shown(t, plan) {
		for _, example := range []string{"20001", "30002", "hooks<b>", "hooks&lt;b"} {
			if strings.Contains(text, example) {
				t.Errorf("%s shows %q:\n%s", format, example, text)
			}
		}
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(stack.Plan).UnmarshalJSON(text); err != nil {
		t.Error(err)
	}
}
