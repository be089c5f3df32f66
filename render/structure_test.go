package render

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

// nestedCharts is a chart inside of which charts nest, each with a subchart under
// several aliases.
func nestedCharts(levels, aliases int) fstest.MapFS {
	files := fstest.MapFS{}
	for i := range levels {
		dir := strings.Repeat("charts/c/", i)
		about := "apiVersion: v2\nname: c\nversion: 1.0.0\n"
		if i < levels-1 {
			about += "dependencies:\n"
			for a := range aliases {
				about += fmt.Sprintf("- {name: c, version: 1.0.0, alias: a%d, condition: 'a%d.on,global.on%d', tags: [t%d]}\n", a, a, a, a)
			}
		}
		files[dir+"Chart.yaml"] = &fstest.MapFile{Data: []byte(about)}
		files[dir+"values.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "level: %d\n", i)}
		files[dir+"templates/x.yaml"] = &fstest.MapFile{Data: []byte("# {{ .Values | toJson }}\n")}
	}
	return files
}

func TestNestedAliasesRenderAsInHelm(t *testing.T) {
	for name, values := range map[string]string{
		"nothing":     "",
		"conditions":  "a1: {on: false}\na0: {a0: {on: false}, x: 1}\n",
		"tags":        "tags: {t0: false}\n",
		"globals":     "global: {on0: false}\na3: {global: {on2: false}}\n",
		"deep":        "a0: {a0: {a0: {a0: {x: {y: z}}}}}\nc: {a: 1}\n",
		"no mapping":  "a2: 5\n",
		"below":       "a0: {a1: 5}\n",
		"null":        "a2: null\nglobal: null\n",
		"root quirks": "a0: {on: true}\nlevel: {x: 1}\n",
	} {
		t.Run(name, func(t *testing.T) { sameAsHelm(t, nestedCharts(14, 10), values) })
	}
}

// sameAsHelm compares the rendered files of a chart, or that both fail.
func sameAsHelm(t *testing.T, files fstest.MapFS, values ...string) {
	t.Helper()
	w := &chartWriter{files: map[string]string{}}
	for name, f := range files {
		w.files[name] = string(f.Data)
	}
	c, err := LoadFS(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range values {
		v, err := MergeValues(FromYAML("values", []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		want, helmErr := oracle.Files(must(w.helmLoader(t)()), v.Map(), oracle.Options{Name: "demo", Namespace: "default", Revision: 1})
		in, err := Input{Name: "demo", Values: v}.checked()
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := c.renderFiles(t.Context(), in.Limits.account(t.Context()), in)
		if (err == nil) != (helmErr == nil) {
			t.Fatalf("values %s: error %v, Helm's is %v", text, err, helmErr)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(want, m.Files); diff != "" {
			t.Fatalf("values %s: files differ (-helm +render):\n%s", text, diff)
		}
	}
}

// A chart that is rendered with many values keeps what it made of earlier ones:
// each render must be the one that fits its values.
func TestInstancesFollowTheValues(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var table func(depth int) string
	table = func(depth int) string {
		var b strings.Builder
		for _, key := range []string{"a", "b", "e", "x", "on", "global", "tags", "t", "sub", "level"} {
			if random.IntN(3) > 0 {
				continue
			}
			value := pick("true", "false", "null", "1", "text", "[]", "{}")
			if depth > 0 && random.IntN(2) == 0 {
				value = table(depth - 1)
			}
			fmt.Fprintf(&b, "%s: %s, ", key, value)
		}
		return "{" + b.String() + "}"
	}
	for range 40 {
		files := fstest.MapFS{}
		var write func(dir, name string, depth int)
		write = func(dir, name string, depth int) {
			about := "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n"
			if depth > 0 {
				about += "dependencies:\n"
				for i, sub := range []string{"a", "b"} {
					alias := ""
					if random.IntN(3) == 0 {
						alias = ", alias: " + []string{"sub", "e"}[i]
					}
					about += fmt.Sprintf("- {name: %s, version: 1.0.0%s, condition: '%s', tags: [%s], import-values: [%s]}\n", sub, alias,
						pick("", sub+".on", "on", "global.on", "global.a.on,"+sub+".on", "a.global.on", "x.global.on", "sub.on"), pick("t", "a", "on"), pick("", "x", "{child: x, parent: .}", "{child: a, parent: x}"))
					write(dir+"charts/"+sub+"/", sub, depth-1)
				}
			}
			files[dir+"Chart.yaml"] = &fstest.MapFile{Data: []byte(about)}
			files[dir+"values.yaml"] = &fstest.MapFile{Data: []byte(table(2))}
			files[dir+"templates/x.yaml"] = &fstest.MapFile{Data: []byte("{{ .Values | toJson }}\n")}
		}
		write("", "root", 2)
		var values []string
		for range 12 {
			values = append(values, table(3))
		}
		sameAsHelm(t, files, values...)
	}
}

// broad is a chart with many subcharts and many globals.
func broad(subcharts, globals int) fstest.MapFS {
	files := fstest.MapFS{}
	var about, values strings.Builder
	about.WriteString("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n")
	for i := range subcharts {
		fmt.Fprintf(&about, "- {name: s, version: 1.0.0, alias: s%d, condition: s%d.on, tags: [t%d]}\n", i, i, i)
	}
	values.WriteString("global:\n")
	for i := range globals {
		fmt.Fprintf(&values, "  g%d: 1\n", i)
	}
	files["Chart.yaml"] = &fstest.MapFile{Data: []byte(about.String())}
	files["values.yaml"] = &fstest.MapFile{Data: []byte(values.String())}
	files["templates/x.yaml"] = &fstest.MapFile{}
	files["charts/s/Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: s\nversion: 1.0.0\ndependencies:\n- {name: u, version: 1.0.0, condition: u.on}\n")}
	files["charts/s/templates/x.yaml"] = &fstest.MapFile{}
	files["charts/s/charts/u/Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: u\nversion: 1.0.0\n")}
	return files
}

// What a chart's structure may cost is bounded, and a bound names its limit.
func TestHostileStructure(t *testing.T) {
	for name, c := range map[string]struct {
		files  fstest.MapFS
		limit  string
		limits Limits
	}{
		"globals by subcharts": {files: broad(1500, 30_000), limit: "MemoryBytes"},
		"templates by aliases": {files: func() fstest.MapFS {
			files := broad(1500, 1)
			files["charts/s/templates/x.yaml"].Data = []byte(strings.Repeat("# text\n", 100_000))
			return files
		}(), limit: "ChartBytes"},
		"requirements by versions": {files: func() fstest.MapFS {
			files := fstest.MapFS{}
			about := "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n"
			for i := range 3000 {
				about += fmt.Sprintf("- {name: s, version: '>9', alias: s%d}\n", i)
				files[fmt.Sprintf("charts/s%d/Chart.yaml", i)] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: s\nversion: 1.0.0\n")}
			}
			files["Chart.yaml"] = &fstest.MapFile{Data: []byte(about)}
			return files
		}(), limit: "Steps", limits: Limits{Steps: 1_000_000}}, // before the time is up, on any machine
	} {
		t.Run(name, func(t *testing.T) {
			c1, err := LoadFS(c.files)
			if err != nil {
				t.Fatal(err)
			}
			bounded(t, c.limit, func() error {
				_, err := c1.Render(t.Context(), Input{Name: "demo", Limits: c.limits})
				return err
			})
		})
	}
}

// Processing the structure of a chart ends with the context.
func TestStructureEndsWithTheContext(t *testing.T) {
	c, err := LoadFS(broad(400, 400))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Render(ctx, Input{Name: "demo"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	_, err = c.Render(t.Context(), Input{Name: "demo", Limits: Limits{Time: time.Nanosecond}})
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != "Time" {
		t.Errorf("%v", err)
	}
}

func BenchmarkStructure(b *testing.B) {
	for name, files := range map[string]fstest.MapFS{
		"aliases/nested 7x10": nestedCharts(7, 10), "aliases/nested 14x10": nestedCharts(14, 10),
		"subcharts/100": broad(100, 1), "subcharts/200": broad(200, 1), "subcharts/400": broad(400, 1), "subcharts/800": broad(800, 1),
		"globals/20": broad(100, 20), "globals/200": broad(100, 200), "globals/2000": broad(100, 2000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c, err := LoadFS(files)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Render(b.Context(), Input{Name: "demo"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
