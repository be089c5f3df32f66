package render

import (
	"context"
	"testing"
	"testing/fstest"
)

type unchanged struct{}

func (unchanged) PostRender(_ context.Context, objects []Object) ([]Object, error) {
	return objects, nil
}

// An object that has the annotation of hooks and is none, such as an item of a
// List, stays an object, whatever post-renderers are given.
func TestPostRenderingKeepsObjects(t *testing.T) {
	chart, err := LoadFS(fstest.MapFS{
		"Chart.yaml": {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"templates/a.yaml": {Data: []byte(`apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {helm.sh/hook: pre-install}}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, annotations: {helm.sh/hook: bogus}}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: d, annotations: {helm.sh/hook: post-install}}
`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := chart.Render(t.Context(), Input{Name: "demo"})
	if err != nil || len(m.Objects) != 3 || len(m.Hooks) != 1 {
		t.Fatalf("%d objects, %d hooks, %v", len(m.Objects), len(m.Hooks), err)
	}
	for _, scope := range []PostRenderScope{PostRenderObjects, PostRenderHooks, PostRenderAll} {
		got, err := m.PostRenderedIn(t.Context(), scope, unchanged{}, unchanged{})
		if err != nil || len(got.Objects) != 3 || len(got.Hooks) != 1 || got.Hooks[0].GetName() != "d" {
			t.Errorf("%q: %d objects, %d hooks, %v", scope, len(got.Objects), len(got.Hooks), err)
		}
	}
}

// A chart renders the same CRDs again, whatever a post-renderer does to those it was
// given.
func TestPostRenderersAreGivenTheirOwnCRDs(t *testing.T) {
	chart, err := LoadFS(fstest.MapFS{
		"Chart.yaml":  {Data: []byte(hostileChart)},
		"crds/c.yaml": {Data: []byte("apiVersion: example.com/v1\nkind: CustomResourceDefinition\nmetadata: {name: c}\nspec: {names: {kind: A}}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	kind := func(m *Manifest) any {
		return m.CRDs[0].Object["spec"].(map[string]any)["names"].(map[string]any)["kind"]
	}
	for range 2 {
		m, err := chart.Render(t.Context(), Input{Name: "demo", PostRenderScope: PostRenderAll, PostRender: []PostRenderer{
			PostRenderFunc(func(_ context.Context, objects []Object) ([]Object, error) {
				names := objects[0].Object["spec"].(map[string]any)["names"].(map[string]any)
				names["kind"] = names["kind"].(string) + "B"
				objects[0].Text = ""
				return objects, nil
			}),
		}})
		if err != nil || kind(m) != "AB" {
			t.Errorf("kind %v, %v", kind(m), err)
		}
	}
	if m, err := chart.Render(t.Context(), Input{Name: "demo"}); err != nil || kind(m) != "A" {
		t.Errorf("kind %v, %v", kind(m), err)
	}
}
