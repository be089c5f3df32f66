package engine

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestSetFieldLeavesOthersAlone(t *testing.T) {
	make := func() map[string]any {
		return map[string]any{
			"metadata": map[string]any{"name": "web", "labels": map[string]any{"app": "web"}},
			"spec":     map[string]any{"replicas": int64(2), "list": []any{"a"}},
		}
	}
	for name, c := range map[string]struct {
		value any
		path  []string
		want  func(m map[string]any) // nil: it fails
	}{
		"another value":    {int64(3), []string{"spec", "replicas"}, func(m map[string]any) { m["spec"].(map[string]any)["replicas"] = int64(3) }},
		"a new one":        {"x", []string{"status", "is", "here"}, func(m map[string]any) { m["status"] = map[string]any{"is": map[string]any{"here": "x"}} }},
		"removed":          {nil, []string{"spec", "replicas"}, func(m map[string]any) { delete(m["spec"].(map[string]any), "replicas") }},
		"what is not":      {nil, []string{"status", "is"}, func(map[string]any) {}},
		"below a list":     {"x", []string{"spec", "list", "a"}, nil},
		"removed below it": {nil, []string{"spec", "list", "a"}, func(map[string]any) {}},
	} {
		t.Run(name, func(t *testing.T) {
			before := make()
			u := &unstructured.Unstructured{Object: before}
			err := setField(u, c.value, c.path...)
			want := make()
			if c.want != nil {
				c.want(want)
			}
			if (err != nil) != (c.want == nil) || !reflect.DeepEqual(u.Object, want) {
				t.Errorf("it became %v, %v", u.Object, err)
			}
			if !reflect.DeepEqual(before, make()) {
				t.Errorf("others see %v", before)
			}
		})
	}
	before := make()
	u := &unstructured.Unstructured{Object: before}
	u = withLabel(u, "tier", "front")
	u = withAnnotation(u, "note", "x")
	u = withAnnotation(u, "none", "")
	if u.GetLabels()["tier"] != "front" || u.GetLabels()["app"] != "web" || !reflect.DeepEqual(u.GetAnnotations(), map[string]string{"note": "x"}) || !reflect.DeepEqual(before, make()) {
		t.Errorf("it became %v, and others see %v", u.Object, before)
	}
}
