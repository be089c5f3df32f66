package render_test

import (
	"testing"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// Helm applies each object with a line's end after it, and hooks without.
func TestBlockScalarAtTheEndOfAnObject(t *testing.T) {
	text := func(name, annotations string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + annotations + "\ndata:\n  text: |\n    first\n    last\n"
	}
	c, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n")},
		"templates/a.yaml": {Data: []byte(text("a", "") + text("b", "\n  annotations: {helm.sh/hook: pre-install}") + text("c", ""))},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Render(t.Context(), render.Input{Name: "shop", Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Objects) != 2 || len(m.Hooks) != 1 {
		t.Fatalf("%d objects, %d hooks", len(m.Objects), len(m.Hooks))
	}
	value := func(o render.Object) any { return o.Object["data"].(map[string]any)["text"] }
	for _, o := range m.Objects {
		if got := value(o); got != "first\nlast\n" {
			t.Errorf("%s: %q", o.GetName(), got)
		}
	}
	if got := value(m.Hooks[0].Object); got != "first\nlast" {
		t.Errorf("hook: %q", got)
	}
}
