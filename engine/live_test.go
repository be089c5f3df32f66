package engine_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// Live reads what is there, in the namespace and version that are left out, and
// says what is not there or not allowed.
func TestLive(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap, "web.yaml": deployment})))
	config := diff.Object{Kind: "ConfigMap", Name: "shop-config"}
	u, err := f.engine.Live(f.ctx, f.key, config)
	if err != nil || u.GetNamespace() != f.namespace || u.GetAPIVersion() != "v1" {
		t.Fatalf("%v %v", u, err)
	}
	if u, err = f.engine.Live(f.ctx, f.key, diff.Object{Group: "apps", Kind: "Deployment", Name: "shop"}); err != nil || u.GetAPIVersion() != "apps/v1" {
		t.Errorf("%v %v", u, err)
	}
	if u, err = f.engine.Live(f.ctx, f.key, diff.Object{Version: "v1", Kind: "Namespace", Name: f.namespace, Namespace: "ignored"}); err != nil || u.GetNamespace() != "" {
		t.Errorf("%v %v", u, err)
	}
	for name, c := range map[string]struct {
		object diff.Object
		want   error
	}{
		"no object":  {diff.Object{Kind: "ConfigMap", Name: "other"}, engine.ErrObjectNotFound},
		"no kind":    {diff.Object{Kind: "Nothing", Name: "other"}, engine.ErrUnknownKind},
		"no version": {diff.Object{Version: "v9", Kind: "ConfigMap", Name: "other"}, engine.ErrUnknownKind},
	} {
		if u, err := f.engine.Live(f.ctx, f.key, c.object); u != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v %v", name, u, err)
		}
	}
	blocked, err := f.engine.With(func(o *engine.Options) { o.Allow = engine.OwnNamespace })
	if err != nil {
		t.Fatal(err)
	}
	config.Namespace = "default"
	if _, err := blocked.Live(f.ctx, f.key, config); !errors.Is(err, engine.ErrNotAllowed) {
		t.Errorf("%v", err)
	}
}

// A plan assumes definitions and namespaces, and nothing else; what it assumes, it
// does not create.
func TestAssume(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "things." + group},
		"spec": map[string]any{
			"group": group, "names": map[string]any{"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{
				"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "properties": map[string]any{"size": map[string]any{"type": "integer"}}}},
			}}}},
		},
	}}
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": f.namespace + "-later"}}}
	r := f.release(f.chart(map[string]string{
		"a.yaml": configMap, "thing.yaml": "apiVersion: " + group + "/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: {{ .Values.size }}}\n",
	}), "size=3")
	r.Namespace = namespace.GetName()
	if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); !errors.Is(err, engine.ErrNamespaceNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{Assume: []*unstructured.Unstructured{namespace}}); !errors.Is(err, engine.ErrUnknownKind) {
		t.Errorf("%v", err)
	}
	assume := engine.PlanOptions{Assume: []*unstructured.Unstructured{namespace, definition}}
	p, err := f.engine.Plan(f.ctx, r, assume)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Report.Changes) != 2 || p.Err() != nil {
		t.Errorf("%+v", p.Report.Changes)
	}
	for _, ch := range p.Report.Changes {
		if !ch.Local || ch.Action != diff.Created {
			t.Errorf("%+v", ch)
		}
	}
	invalid := f.release(r.Source, "size=big")
	invalid.Namespace = r.Namespace
	if p, err = f.engine.Plan(f.ctx, invalid, assume); err != nil || len(p.Problems) != 1 || p.Problems[0].Kind != engine.ProblemInvalid {
		t.Errorf("%+v %v", p, err)
	}
	other := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}}}
	for _, bad := range []*unstructured.Unstructured{nil, other} {
		if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{Assume: []*unstructured.Unstructured{bad}}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%v", err)
		}
	}
}

// Values that come from a hidden Secret are shown nowhere.
func TestHide(t *testing.T) {
	f := newFixture(t)
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "other"}, "stringData": map[string]any{"password": "correct-horse-battery"},
	}}
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}), "colour=correct-horse-battery")
	r.Hide = []*unstructured.Unstructured{secret}
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := p.Report.WriteText(&text, diff.TextOptions{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "(secret") || strings.Contains(text.String(), "battery") {
		t.Errorf("the plan shows\n%s", text.String())
	}
}
