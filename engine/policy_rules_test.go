package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// The rules of Plan.PolicyRules, and no other permissions, are enough to apply the
// plan.
func TestPolicyRulesAreEnough(t *testing.T) {
	f := newFixture(t)
	first := f.chart(map[string]string{"a.yaml": configMap, "web.yaml": deployment, "old.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: old}\n",
		"hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}\n"})
	second := f.chart(map[string]string{"a.yaml": configMap, "web.yaml": deployment, "new.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: new}\nspec: {ports: [{port: 80}]}\n",
		"hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}\n"})
	for _, r := range []engine.Release{f.release(first), f.release(second, "tag=2.0")} {
		p := f.plan(r)
		rules, err := p.PolicyRules()
		if err != nil {
			t.Fatal(err)
		}
		if len(rules) != 1 {
			t.Errorf("rules for %d namespaces: %v", len(rules), rules)
		}
		e := f.newEngine(f.cluster.User(t, f.namespace, rules[f.namespace]...))
		f.events.take()
		if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil {
			t.Errorf("with these permissions: %v", err)
		}
		for _, event := range f.events.take() {
			if w, ok := event.(engine.Warning); ok {
				t.Error(w)
			}
		}
	}
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := p.PolicyRules()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.newEngine(f.cluster.User(t, f.namespace, rules[f.namespace]...)).Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var stored engine.Plan
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if _, err := stored.PolicyRules(); err == nil {
		t.Error("a plan without resources has rules")
	}
}
