package engine_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// brokenHook fails when it runs: a hook before it might have created its namespace,
// so that it is no problem of the plan.
const brokenHook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: broken\n  namespace: made-by-no-hook\n  annotations: {helm.sh/hook: pre-upgrade}\n"

// causes are those of the plan's fields, by kind and path.
func (f *fixture) causes(r engine.Release) map[string]diff.Cause {
	f.Helper()
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	causes := map[string]diff.Cause{}
	for _, c := range p.Report.Changes {
		for _, field := range c.Fields {
			causes[c.Object.Name+" "+field.Path] = field.Cause
		}
	}
	return causes
}

// Changes that a revision did not make, because its hook failed first, are changes
// by the chart, not drift.
func TestNoDriftAfterAHookThatFailed(t *testing.T) {
	f := newFixture(t)
	const more = "\n  flavour: {{ .Values.flavour | default \"plain\" }}\n  size: small\n"
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})))
	next := map[string]string{
		"config.yaml": strings.TrimRight(strings.Replace(configMap, "data: {colour: {{ .Values.colour | default \"green\" | quote }}}", "data:\n  colour: {{ .Values.colour }}", 1), "\n") + more,
		"new.yaml":    secondConfig, "web.yaml": deployment, "hook.yaml": brokenHook,
	}
	if rev, err := f.engine.Deploy(f.ctx, f.release(f.chart(next), "colour=red", "tag=2.0"), engine.ApplyOptions{}); err == nil || rev == nil {
		t.Fatalf("the hook was let through: %v", rev)
	}
	f.wantColour("green")
	delete(next, "hook.yaml")
	fixed := f.release(f.chart(next), "colour=red", "tag=2.0")
	got := f.causes(fixed)
	for _, path := range []string{"shop-config data.colour", "shop-config data.flavour", "shop-config data.size", `shop spec.template.spec.containers[name="web"].image`} {
		if got[path] != diff.Chart {
			t.Errorf("%s has the cause %q in %v", path, got[path], got)
		}
	}
	for path, cause := range got {
		if cause == diff.Drift {
			t.Errorf("%s is called drift", path)
		}
	}
	f.deploy(fixed)
	f.wantHistory("1 superseded", "2 failed", "3 deployed")
}

// failLater deploys a chart, then in red, with pods that do not start, so that it
// fails after everything is written. It returns the failed release.
func (f *fixture) failLater(c *render.Chart) engine.Release {
	f.Helper()
	f.deploy(f.release(c))
	broken := f.release(c, "colour=red", `podAnnotations.fairlead\.dev/pod=image-pull-error`)
	if _, err := f.engine.Deploy(f.ctx, broken, engine.ApplyOptions{}); err == nil {
		f.Fatal("it became ready")
	}
	return broken
}

// What a failed revision has written counts: changes by other managers are drift.
func TestDriftAfterAWaitThatFailed(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	broken := f.failLater(c)
	f.wantColour("red")
	_, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.JSONPatchType,
		[]byte(`[{"op":"remove","path":"/data/colour"}]`), metav1.PatchOptions{FieldManager: "someone"})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.causes(broken)["shop-config data.colour"]; got != diff.Drift {
		t.Errorf("the cause is %q, want drift", got)
	}
	if got := f.causes(f.release(c, "colour=blue"))["shop-config data.colour"]; got != diff.Chart {
		t.Errorf("the cause is %q, want the chart", got)
	}
}
