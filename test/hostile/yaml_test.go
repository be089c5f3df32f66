//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/render"
)

// TestYAML reads texts that expand, nest or multiply through every door that
// takes YAML.
func TestYAML(t *testing.T) {
	var cases []Case
	for _, name := range slices.Sorted(maps.Keys(yamlTexts)) {
		for _, door := range slices.Sorted(maps.Keys(yamlDoors)) {
			cases = append(cases, Case{
				Typed:  func(err error) bool { return errors.As(err, new(*charts.LoadError)) },
				Name:   name + " in " + door,
				Always: name == "long text" && (door == "output" || door == "values.yaml"),
				Run:    func(ctx context.Context) error { return yamlDoors[door](ctx, yamlTexts[name]()) },
			})
		}
	}
	Run(t, cases)
}

// yamlTexts are the members of a mapping: they follow "apiVersion: v1" and the
// like, and begin at the left.
var yamlTexts = map[string]func() string{
	"long text": func() string { return aliasedText("\""+strings.Repeat("x", 1_000_000)+"\"", 3000) },
	"long block": func() string {
		return "a: &a |\n  " + strings.Repeat("x", 1_000_000) + "\nb: [" + strings.Repeat("*a,", 300_000) + "]\n"
	},
	"merge keys": func() string {
		return "a: &a {k: \"" + strings.Repeat("x", 100_000) + "\"}\nb:\n" + strings.Repeat("- {<<: *a}\n", 30_000)
	},
	"laughs": func() string {
		var b strings.Builder
		b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
		for i := range 12 {
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 10))
		}
		return b.String()
	},
	"laughs of maps": func() string {
		var b strings.Builder
		b.WriteString("a0: &a0 {a: x, b: x, c: x}\n")
		for i := range 18 {
			fmt.Fprintf(&b, "a%d: &a%d {a: *a%d, b: *a%d, c: *a%d}\n", i+1, i+1, i, i, i)
		}
		return b.String()
	},
	"itself":        func() string { return "a: &a [*a, *a]\n" },
	"deep lists":    func() string { return "a: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "\n" },
	"deep maps":     func() string { return "a: " + strings.Repeat("{a: ", 9_000) + strings.Repeat("}", 9_000) + "\n" },
	"deep and open": func() string { return "a: " + strings.Repeat("[", 2_000_000) + "\n" },
	"deep by aliases": func() string {
		var b strings.Builder
		b.WriteString("d0: &d0 x\n")
		for i := range 2_000 {
			fmt.Fprintf(&b, "d%d: &d%d %s*d%d%s\n", i+1, i+1, strings.Repeat("[", 500), i, strings.Repeat("]", 500))
		}
		return b.String()
	},
	"many small items": func() string { return "a: [" + strings.Repeat("a,", 2_000_000) + "]\n" },
	"many small maps":  func() string { return "a: [" + strings.Repeat("{a},", 1_000_000) + "]\n" },
	"many keys": func() string {
		var b strings.Builder
		for i := range 400_000 {
			fmt.Fprintf(&b, "k%x:\n", i)
		}
		return b.String()
	},
	"long number":  func() string { return "a: " + strings.Repeat("9", 4_000_000) + "\n" },
	"long numbers": func() string { return "a: [" + strings.Repeat(strings.Repeat("9", 1000)+", ", 4000) + "1]\n" },
	"long fraction": func() string {
		return "a: 0." + strings.Repeat("9", 2_000_000) + "e-" + strings.Repeat("9", 2_000_000) + "\n"
	},
	"long tag": func() string { return "a: !" + strings.Repeat("x", 4_000_000) + " b\n" },
	"long anchor": func() string {
		return "a: &" + strings.Repeat("x", 2_000_000) + " b\nc: *" + strings.Repeat("x", 2_000_000) + "\n"
	},
	"many anchors": func() string { return "a: [" + strings.Repeat("&a b, *a, ", 200_000) + "b]\n" },
	"many tags":    func() string { return "a: [" + strings.Repeat("!!str a, ", 300_000) + "b]\n" },
	"long key":     func() string { return "? " + strings.Repeat("x", 4_000_000) + "\n: 1\n" },
	"keys of maps": func() string { return "a: {" + strings.Repeat("{a: b}: c, ", 200_000) + "}\n" },
	"merges in merges": func() string {
		var b strings.Builder
		b.WriteString("m0: &m0 {a: b}\n")
		for i := range 5_000 {
			fmt.Fprintf(&b, "m%d: &m%d {<<: [*m%d, *m%d]}\n", i+1, i+1, i, i)
		}
		return b.String()
	},
	"times":   func() string { return "a: [" + strings.Repeat("2001-01-01T00:00:00.000000001Z, ", 100_000) + "]\n" },
	"folded":  func() string { return "a: >\n" + strings.Repeat("  x\n\n", 800_000) },
	"escapes": func() string { return "a:\n  \"" + strings.Repeat("\\0", 2_000_000) + "\"\n" },
	"binary":  func() string { return "a: !!binary " + strings.Repeat("////", 1_000_000) + "\n" },
	"comments": func() string {
		return "a: &a [b, *b" + strings.Repeat(" # x\n ", 400_000) + "]\n"
	},
}

func aliasedText(anchored string, times int) string {
	return "a: &a " + anchored + "\nb: [" + strings.Repeat("*a,", times) + "]\n"
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

var yamlDoors = map[string]func(ctx context.Context, text string) error{
	"output": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"templates/x.yaml": configMap + text})
	},
	"list in output": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"templates/x.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x}\n" + indent(text)})
	},
	"hook in output": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"templates/x.yaml": strings.Replace(configMap, "{name: x}", "{name: x, annotations: {helm.sh/hook: pre-install}}", 1) + text})
	},
	"fromYaml": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"data.yaml": text, "templates/x.yaml": `{{ .Files.Get "data.yaml" | fromYaml | len }}`})
	},
	"fromYamlArray": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"data.yaml": "- x\n-\n" + indent(text), "templates/x.yaml": `{{ .Files.Get "data.yaml" | fromYamlArray | len }}`})
	},
	"values.yaml": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"values.yaml": text})
	},
	"values.yaml of a subchart": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/values.yaml": text})
	},
	"Chart.yaml": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\nannotations:\n" + indent(text)})
	},
	"Chart.lock": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"Chart.lock": text})
	},
	"requirements.yaml": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"Chart.yaml": "apiVersion: v1\nname: web\nversion: 1.0.0\n", "requirements.yaml": text})
	},
	"crds": func(ctx context.Context, text string) error {
		return RenderChart(ctx, map[string]string{"crds/x.yaml": configMap + text})
	},
	"FromYAML": func(_ context.Context, text string) error {
		values, err := render.MergeValues(render.FromYAML("x", []byte(text)))
		if err == nil {
			values.Origin("a")
		}
		return err
	},
	"FromFile": func(_ context.Context, text string) error {
		dir, err := os.MkdirTemp("", "hostile")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		name := filepath.Join(dir, "values.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
		_, err = render.MergeValues(render.FromFile(name))
		return err
	},
	"LoadManifests": func(ctx context.Context, text string) error {
		m, err := render.LoadManifests(fstest.MapFS{"x.yaml": {Data: []byte(configMap + text)}})
		if err == nil {
			_, err = m.Render(ctx, render.Input{Name: "demo"})
		}
		return err
	},
	"kustomization.yaml": func(ctx context.Context, text string) error {
		return kustomized(ctx, map[string]string{"kustomization.yaml": text})
	},
	"kustomize resource": func(ctx context.Context, text string) error {
		return kustomized(ctx, map[string]string{"kustomization.yaml": "resources: [x.yaml]", "x.yaml": configMap + text})
	},
	"kustomize patch": func(ctx context.Context, text string) error {
		return kustomized(ctx, map[string]string{
			"kustomization.yaml": "resources: [x.yaml]\npatches: [{path: p.yaml}]", "x.yaml": configMap, "p.yaml": configMap + text,
		})
	},
	"kustomize generator": func(ctx context.Context, text string) error {
		return kustomized(ctx, map[string]string{
			"kustomization.yaml": "generators: [g.yaml]", "g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\n" + text,
		})
	},
	"kustomize configuration": func(ctx context.Context, text string) error {
		return kustomized(ctx, map[string]string{"kustomization.yaml": "resources: [x.yaml]\nconfigurations: [c.yaml]", "x.yaml": configMap, "c.yaml": text})
	},
	"post-rendered": func(ctx context.Context, text string) error {
		chart, err := render.LoadFS(fstest.MapFS{
			"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
			"templates/x.yaml": {Data: []byte(configMap)},
		})
		if err != nil {
			return err
		}
		overlay := fstest.MapFS{"kustomization.yaml": {Data: []byte("patches: [{path: p.yaml}]")}, "p.yaml": {Data: []byte(configMap + text)}}
		_, err = chart.Render(ctx, render.Input{Name: "demo", PostRender: []render.PostRenderer{render.Kustomize(overlay, ".")}})
		return err
	},
	"index.yaml": func(ctx context.Context, text string) error {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [x.tgz]\n", text)
		}))
		defer server.Close()
		_, err := charts.Load(ctx, "web", charts.LoadOptions{Repository: server.URL, UnsafePlainHTTP: true})
		return err
	},
	"stored object": func(_ context.Context, text string) error {
		var o render.Object
		return o.UnmarshalJSON(fmt.Appendf(nil, `{"text":%q}`, configMap+text))
	},
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

func kustomized(ctx context.Context, files map[string]string) error {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	k, err := render.LoadKustomization(fsys, ".")
	if err != nil {
		return err
	}
	_, err = k.Render(ctx, render.Input{Name: "demo"})
	return err
}
