//go:build linux

package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
)

// TestValues reads values in every form but YAML, which TestYAML has.
func TestValues(t *testing.T) { Run(t, valuesCases) }

func set(name, limit string, layer func(string) render.Layer, expr func() string) Case {
	return Case{Name: name, Limit: limit, Run: func(ctx context.Context) error {
		values, err := render.MergeValues(layer(expr()))
		if err != nil {
			return err
		}
		return RenderValues(ctx, values)
	}}
}

// numbered writes a format with the numbers from 0.
func numbered(format string, times int) func() string {
	return func() string {
		var b strings.Builder
		for i := range times {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
}

func times(before, text string, n int, after string) func() string {
	return func() string { return before + strings.Repeat(text, n) + after }
}

var valuesCases = []Case{
	set("lists inside of lists", "DocumentDepth", render.FromSet, times("a", "[0]", 3_000_000, "=1")),
	set("lists inside of lists of texts", "DocumentDepth", render.FromSetString, times("a", "[0]", 3_000_000, "=1")),
	set("lists inside of lists by path", "DocumentDepth", render.FromSetLiteral, times("a", "[0]", 3_000_000, "=1")),
	set("lists inside of lists, of maps", "", render.FromSet, times("a", "[0].a", 900_000, "=1")),
	set("lists inside of lists with JSON", "DocumentDepth", render.FromSetJSON, times("a", "[0]", 3_000_000, "=1")),
	set("large indexes", "Steps", render.FromSet, numbered("a%d[65536]=1,", 300_000)),
	set("large indexes inside of each other", "", render.FromSet, times("a", "[65536]", 900, "=1")),
	set("indexes in order", "Steps", render.FromSet, numbered("a[%d]=1,", 65_536)),
	set("too large an index", "", render.FromSet, func() string { return "a[99999999999999999999]=1,b[2147483647]=1" }),
	set("long list", "MemoryBytes", render.FromSet, times("a={", "a,", 8_000_000, "}")),
	set("long path", "", render.FromSet, times("", "a.", 4_000_000, "=1")),
	set("long key", "", render.FromSet, times("", "a", 32_000_000, "=1")),
	set("open list", "", render.FromSet, times("a={", "a", 4_000_000, "")),
	set("backslashes", "", render.FromSet, times("a=", `\`, 4_000_000, "")),
	set("many keys", "", render.FromSet, numbered("a%d=1,", 1_000_000)),
	set("many keys with JSON", "Steps", render.FromSetJSON, numbered("a%d=1,", 200_000)),
	set("JSON inside of JSON", "DocumentDepth", render.FromSetJSON, times("a=", "[", 9_000, strings.Repeat("]", 9_000))),
	set("JSON maps inside of maps", "DocumentDepth", render.FromSetJSON, times("a=", `{"a":`, 9_000, "1"+strings.Repeat("}", 9_000))),
	set("open JSON", "", render.FromSetJSON, times("a=", "[", 4_000_000, "")),
	set("small items of JSON", "", render.FromSetJSON, times("a=[", "[],", 4_000_000, "1]")),
	set("JSON text with brackets", "", render.FromSetJSON, times(`a="`, "[", 4_000_000, `"`)),
	set("long text", "", render.FromSetLiteral, times("a=", "[0]", 3_000_000, "")),
	set("endless file", "FileBytes", render.FromSetFile, func() string { return "a=/dev/zero" }),
	set("endless file many times", "FileBytes", render.FromSetFile, numbered("a%d=/dev/zero,", 1000)),
	{Name: "file many times", Limit: "MemoryBytes", Run: func(ctx context.Context) error {
		name := filepath.Join(os.TempDir(), fmt.Sprintf("hostile-%d", os.Getpid()))
		defer os.Remove(name)
		if err := os.WriteFile(name, make([]byte, 4<<20), 0o600); err != nil {
			return err
		}
		_, err := render.MergeValues(render.FromSetFile(numbered("a%d="+name+",", 500)()))
		return err
	}},
	{Name: "endless values file", Limit: "FileBytes", Run: func(context.Context) error {
		_, err := render.MergeValues(render.FromFile("/dev/zero"))
		return err
	}},
	{Name: "many layers", Run: func(context.Context) error {
		var layers []render.Layer
		for i := range 3000 {
			layers = append(layers, render.FromYAML(fmt.Sprint(i), []byte("a: ["+strings.Repeat("a,", 1000)+"]\n")))
		}
		_, err := render.MergeValues(layers...)
		return err
	}},
	{Name: "many maps", Limit: "MemoryBytes", Run: func(context.Context) error {
		shared := map[string]any{"a": 1}
		for range 40 {
			shared = map[string]any{"l": shared, "r": shared}
		}
		_, err := render.MergeValues(render.FromMap("x", shared))
		return err
	}},
	{Name: "map of itself", Run: func(context.Context) error {
		cycle := map[string]any{}
		cycle["a"], cycle["b"] = cycle, []any{cycle, cycle}
		_, err := render.MergeValues(render.FromMap("x", cycle))
		return err
	}},
	{Name: "values, schema and templates together", Run: func(ctx context.Context) error {
		return RenderChart(ctx, map[string]string{
			"values.yaml":        "a: [" + strings.Repeat("a,", 200_000) + "]\n",
			"values.schema.json": `{"properties":{"a":{"items":{"type":"string"}}}}`,
			"templates/x.yaml":   `{{ $kept := dict }}{{ range $i := until 100000 }}{{ $_ := set $kept (print $i) (repeat 100000 (print $i)) }}{{ end }}`,
		})
	}},
}
