package engine_test

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// objects is a source written in Go: its objects have no text.
type objects func() *render.Manifest

func (o objects) Render(context.Context, render.Input) (*render.Manifest, error) { return o(), nil }

func configMapOf(name, value string, annotations map[string]any) render.Object {
	metadata := map[string]any{"name": name}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	return render.Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": map[string]any{"value": value},
	}}}
}

// A source of one's own deploys, prunes, shows drift, rolls back and uninstalls
// as any chart.
func TestASourceWithoutText(t *testing.T) {
	f := newFixture(t)
	hook := render.Hook{Object: configMapOf("hook", "x", map[string]any{"helm.sh/hook": "pre-upgrade"}), Events: []render.HookEvent{render.HookPreUpgrade}}
	release := func(of ...render.Object) engine.Release {
		return engine.Release{Key: f.key, Source: objects(func() *render.Manifest {
			return &render.Manifest{Objects: of, Hooks: []render.Hook{hook}}
		})}
	}
	live := func() string {
		list, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range list.Items {
			if c.Name != "kube-root-ca.crt" {
				names = append(names, c.Name+"="+c.Data["value"])
			}
		}
		return strings.Join(names, " ")
	}
	f.deploy(release(configMapOf("a", "1", nil), configMapOf("b", "1", nil)))
	f.settled(release(configMapOf("a", "1", nil), configMapOf("b", "1", nil)))
	f.deploy(release(configMapOf("a", "2", nil)))
	if got := live(); got != "a=2 hook=x" {
		t.Errorf("after the upgrade: %s", got)
	}
	f.edit("configmaps", "a", "kubectl-edit", `{"data":{"value":"9"}}`)
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil || len(report.Changes) != 1 || !report.Changes[0].Changed() {
		t.Errorf("drift %v, %v", report.Changes, err)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := live(); got != "a=1 b=1 hook=x" {
		t.Errorf("after the rollback: %s", got)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := live(); got != "hook=x" {
		t.Errorf("after the uninstall: %s", got)
	}
	// What cannot be stored is refused.
	if _, err := f.engine.Plan(f.ctx, release(render.Object{}), engine.PlanOptions{}); err == nil {
		t.Error("an object without content is planned")
	}
}
