package render_test

import (
	"maps"
	"reflect"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/fairlead-dev/fairlead/render"
)

// Values over others are what Helm makes of them.
func TestValuesOver(t *testing.T) {
	table := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	for name, c := range map[string]struct{ above, below func() map[string]any }{
		"maps merge": {
			func() map[string]any { return table("a", table("b", "new")) },
			func() map[string]any { return table("a", table("b", "old", "c", "kept"), "d", "kept") },
		},
		"a null deletes": {
			func() map[string]any { return table("a", nil, "b", table("c", nil)) },
			func() map[string]any { return table("a", "old", "b", table("c", table("d", "old"), "e", "kept")) },
		},
		"a null over nothing stays": {
			func() map[string]any { return table("a", nil, "b", table("c", nil)) },
			func() map[string]any { return table("b", table("d", "kept"), "n", nil) },
		},
		"lists are replaced": {
			func() map[string]any { return table("a", []any{"x"}) },
			func() map[string]any { return table("a", []any{"y", "z"}) },
		},
		"a map over text, and text over a map": {
			func() map[string]any { return table("a", table("b", "new"), "c", "new") },
			func() map[string]any { return table("a", "old", "c", table("d", "old")) },
		},
	} {
		want := chartutil.CoalesceTables(c.above(), c.below())
		above, err := render.MergeValues(render.FromMap("above", c.above()))
		if err != nil {
			t.Fatal(err)
		}
		below, err := render.MergeValues(render.FromMap("below", c.below()))
		if err != nil {
			t.Fatal(err)
		}
		if got := above.Over(below).Map(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, with Helm %v", name, got, want)
		}
		if !maps.EqualFunc(above.Map(), c.above(), func(a, b any) bool { return reflect.DeepEqual(a, b) }) || !reflect.DeepEqual(below.Map(), c.below()) {
			t.Errorf("%s: the values were changed", name)
		}
	}
	old, _ := render.MergeValues(render.FromMap("revision 3", table("a", "old", "b", "old")))
	set, _ := render.MergeValues(render.FromSet("a=new"))
	for path, want := range map[string]string{"a": "--set a, over revision 3", "b": "revision 3"} {
		if o, ok := set.Over(old).Origin(path); !ok || o.Explain() != want {
			t.Errorf("%s is of %q, want %q", path, o.Explain(), want)
		}
	}
	if got := (render.Values{}).Over(old).Map(); got["a"] != "old" {
		t.Errorf("none over some: %v", got)
	}
}
