package readiness

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestCompileRule(t *testing.T) {
	rule, err := CompileRule(RuleExpressions{
		Ready:   `object.status.phase == "Running" && object.status.replicas >= object.spec.replicas`,
		Failed:  `object.status.error != ""`,
		Message: `"phase " + object.status.phase`,
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := map[schema.GroupKind]Rule{{Group: "example.com", Kind: "Widget"}: rule}
	const widget = "apiVersion: example.com/v1\nkind: Widget\nspec: {replicas: 2}\n"
	for text, want := range map[string]Status{
		widget: {State: Progressing, Reason: "RuleError"},
		widget + "status: {phase: Starting, replicas: 0}":                                                  {State: Progressing, Reason: "RuleNotReady", Message: "phase Starting"},
		widget + "status: {phase: Running, replicas: 1}":                                                   {State: Progressing, Reason: "RuleNotReady", Message: "phase Running"},
		widget + "status: {phase: Running, replicas: 2}":                                                   {State: Ready, Reason: "RuleReady", Message: "phase Running"},
		widget + "status: {phase: Broken, replicas: 0, error: no}":                                         {State: Failed, Reason: "RuleFailed", Message: "phase Broken"},
		widget + "metadata: {generation: 2}\nstatus: {observedGeneration: 1, phase: Running, replicas: 2}": {State: Progressing, Reason: "NotObserved"},
	} {
		got := Assess(object(t, text), rules)
		if got.State != want.State || got.Reason != want.Reason || want.Message != "" && got.Message != want.Message {
			t.Errorf("%s\ngot %s, want %s", text, got, want)
		}
	}
}

func TestCompileRuleRefuses(t *testing.T) {
	for name, x := range map[string]RuleExpressions{
		"no expression":     {},
		"syntax":            {Ready: "object."},
		"unknown variable":  {Ready: "self.ok"},
		"syntax in failure": {Ready: "true", Failed: "("},
	} {
		if _, err := CompileRule(x); err == nil || !strings.HasPrefix(err.Error(), "readiness: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Not a boolean, and too costly: an error, and not ready.
	for _, expression := range []string{
		`"yes"`,
		`[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, a+b+c+d+e+f > 0))))))`,
	} {
		rule, err := CompileRule(RuleExpressions{Ready: expression})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rule(object(t, "apiVersion: v1\nkind: ConfigMap")); err == nil {
			t.Errorf("no error from %s", expression)
		}
	}
}
