package merge

import (
	"context"
	"io"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// A kind that the server has not published yet merges by its definition, which is
// read once, and again when it has changed.
func TestKindsByTheirDefinition(t *testing.T) {
	m := New(func(context.Context, schema.GroupVersion) (io.ReadCloser, error) { return nil, nil })
	asked := 0
	m.Define = func(_ context.Context, gvk schema.GroupVersionKind) (map[string]any, error) {
		if asked++; gvk.Kind != "Gear" {
			return nil, nil
		}
		part := map[string]any{"type": "object", "properties": map[string]any{"id": map[string]any{"type": "string"}, "box": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}}}
		return map[string]any{"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "properties": map[string]any{
			"parts": map[string]any{"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": []any{"id"}, "items": part},
			"maybe": map[string]any{"type": "string", "nullable": true},
		}}}}, nil
	}
	gear := schema.GroupVersionKind{Group: "defined.example.com", Version: "v1", Kind: "Gear"}
	for range 2 {
		s, err := m.Schema(t.Context(), gear)
		if err != nil {
			t.Fatal(err)
		}
		if node := s.Node(diff.Object{Group: gear.Group, Kind: gear.Kind}, []string{"spec", "parts"}); !reflect.DeepEqual(node.Keys, []string{"id"}) {
			t.Errorf("keys are %v", node.Keys)
		}
	}
	if nulls, err := m.Nullable(t.Context(), gear); err != nil || !nulls.Field("spec").Field("maybe").Allowed() {
		t.Errorf("null is not allowed: %v", err)
	}
	if asked != 1 {
		t.Errorf("the definition was read %d times", asked)
	}
	const head = "apiVersion: defined.example.com/v1\nkind: Gear\nmetadata: {name: g}\n"
	desired := parse(t, head+"spec: {parts: [{id: a, box: {}}]}")
	res, err := m.Merge(t.Context(), Request{Live: parse(t, head+"spec: {parts: [{id: a, box: {k: v}}, {id: b}]}"), Desired: desired, Manager: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if parts := res.Merged.Object["spec"].(map[string]any)["parts"]; len(parts.([]any)) != 2 {
		t.Errorf("parts are %v", parts)
	}
	m.Forget(gear.GroupVersion())
	if _, err := m.Schema(t.Context(), gear); err != nil || asked != 2 {
		t.Errorf("after Forget it was read %d times, %v", asked, err)
	}
	if _, err := m.Schema(t.Context(), schema.GroupVersionKind{Group: gear.Group, Version: "v1", Kind: "Other"}); err == nil {
		t.Error("a kind without a definition has a schema")
	}
}
