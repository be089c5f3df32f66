package render

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/oracle"
	"github.com/fairlead-dev/fairlead/internal/template"
)

// chartWriter makes charts out of bytes: each byte is a choice.
type chartWriter struct {
	data  []byte
	files map[string]string
	left  int // how many charts may still be made
}

func (w *chartWriter) pick(n int) int {
	if len(w.data) == 0 {
		return 0
	}
	c := int(w.data[0])
	w.data = w.data[1:]
	return c % n
}

func (w *chartWriter) one(of ...string) string { return of[w.pick(len(of))] }

func (w *chartWriter) key() string {
	return w.one("a", "b", "al", "lib", "global", "enabled", "x", "y", "tags", "exports", "t1", "list", "a.b", "1", "Table")
}

// value is one of every shape; maps use few keys, so that layers meet.
func (w *chartWriter) value(depth int) any {
	n := 12
	if depth <= 0 {
		n = 8
	}
	switch w.pick(n) {
	case 0:
		return nil
	case 1:
		return true
	case 2:
		return false
	case 3:
		return w.pick(9) - 4
	case 4:
		return float64(w.pick(99)) / 4
	case 5:
		return w.one("", "text", "1", "true", "a: b", "{{ .Release.Name }}", "two\nlines\n", "null", " x", "1e6")
	case 6:
		return []any{}
	case 7:
		return map[string]any{}
	case 8:
		return []any{w.value(depth - 1), w.value(depth - 1)}
	}
	return w.mapping(depth - 1)
}

func (w *chartWriter) mapping(depth int) map[string]any {
	m := map[string]any{}
	for range w.pick(5) {
		m[w.key()] = w.value(depth)
	}
	return m
}

func (w *chartWriter) values(depth int) map[string]any {
	m := w.mapping(depth)
	for range 1 + w.pick(4) {
		m[w.one("a", "b", "al", "lib", "global", "tags", "exports")] = w.mapping(depth)
	}
	if w.pick(3) == 0 {
		m["tags"] = map[string]any{"t1": w.pick(2) == 0, "t2": w.pick(2) == 0}
	}
	return m
}

func asYAML(v any) string {
	text, err := yaml.Marshal(v)
	if err != nil {
		panic(err) // these are maps of plain values
	}
	return string(text)
}

// chart writes a chart below a folder.
func (w *chartWriter) chart(dir, name string, depth int) {
	w.left--
	about := map[string]any{"apiVersion": "v2", "name": name, "version": "1.2.0", "appVersion": "3"}
	library := depth > 0 && w.pick(5) == 0
	if library {
		about["type"] = "library"
	}
	var dependencies []any
	for _, sub := range []string{"a", "b", "lib"} {
		if depth >= 3 || w.left <= 0 || w.pick(2) == 0 {
			continue
		}
		w.chart(dir+"charts/"+w.one("", "", "", "", "_", "dir-")+sub+"/", sub, depth+1)
		if w.pick(5) > 0 {
			dependencies = append(dependencies, w.dependency(sub))
		}
		if w.pick(6) == 0 {
			dependencies = append(dependencies, w.dependency(sub))
		}
	}
	if len(dependencies) > 0 && w.pick(8) == 0 {
		about["apiVersion"] = "v1"
		w.files[dir+"requirements.yaml"] = asYAML(map[string]any{"dependencies": dependencies})
	} else if len(dependencies) > 0 {
		about["dependencies"] = dependencies
	}
	w.files[dir+"Chart.yaml"] = asYAML(about)
	if w.pick(6) > 0 {
		w.files[dir+"values.yaml"] = asYAML(w.values(3))
	}
	if w.pick(8) == 0 {
		w.files[dir+"values.schema.json"] = w.one(`{"type":"object"}`, `{"properties":{"x":{"type":"string"}}}`, `{"required":["global"]}`, `{"properties":{"y":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":["number","null"]}}}`)
	}
	if w.pick(3) == 0 {
		w.files[dir+w.one("conf/a.txt", "conf/b.txt", "c.bin", "README.md", "charts/README.md", "charts/.hidden/x", "templates/skip.txt")] = w.one("one\ntwo\n", "", "é\x00\xff", "{{ .Values }}")
	}
	if depth == 0 && w.pick(6) == 0 {
		w.files[".helmignore"] = w.one("conf/\n", "*.txt\n", "# c\n/README.md\n!conf\n", "templates/b*\n", "charts/b\n", "*/b.txt")
	}
	for i := range 1 + w.pick(3) {
		w.files[fmt.Sprintf("%stemplates/%s%d.yaml", dir, w.one("a", "b", "_p", "tests/t", "z"), i)] = w.template(name, i)
	}
	w.files[dir+"templates/_helpers.tpl"] = w.helpers(name)
	if w.pick(4) == 0 {
		w.files[dir+"templates/NOTES.txt"] = w.one("installed {{ .Release.Name }}", "{{ .Values.x }}", "\n")
	}
	if w.pick(6) == 0 {
		w.files[dir+"crds/c.yaml"] = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c." + name + "}\n"
	}
}

func (w *chartWriter) dependency(name string) map[string]any {
	d := map[string]any{"name": name, "version": w.one("1.2.0", "*", "^1.0.0", ">=1.0.0-0", ">9")}
	if w.pick(4) == 0 {
		d["alias"] = w.one("al", "b", "x")
	}
	if w.pick(3) == 0 {
		d["condition"] = w.one("a.enabled", "b.enabled", "al.enabled", "global.enabled", "a.x,b.enabled", "enabled", "a.global.x", "x.y.a")
	}
	if w.pick(4) == 0 {
		d["tags"] = []any{w.one("t1", "t2", "a"), w.one("t1", "b")}
	}
	for range w.pick(3) {
		imports, _ := d["import-values"].([]any)
		if w.pick(2) == 0 {
			d["import-values"] = append(imports, w.one("x", "y", "a", "list"))
		} else {
			d["import-values"] = append(imports, map[string]any{"child": w.one("x", "a", "global", "exports.x", "a.b"), "parent": w.one("x", "y", ".", "a", "global", "b.x")})
		}
	}
	return d
}

func (w *chartWriter) helpers(name string) string {
	return fmt.Sprintf("{{ define %q }}%s{{ end }}{{ define \"shared\" }}of %s{{ end }}{{ define %q }}{{ end }}",
		name+".part", w.one("{{ .Chart.Name }}-{{ .Release.Name }}", "{{ .Values | toYaml }}", "{{ include \"shared\" . }}", "{{ $.Template.Name }}"), name, w.one("a.part", "b.part", "empty"))
}

// expressions show all that a template sees, and change some of it.
var expressions = []string{
	`{{ .Values | toYaml | quote }}`, `{{ .Values.global | toJson | quote }}`, `{{ .Values.a | toYaml | quote }}`, `{{ include "NAME.part" . | quote }}`, `{{ include "shared" . }}`,
	`{{ .Chart.IsRoot }}{{ .Chart.Version }}{{ .Chart.Type }}`, `{{ .Template.BasePath }} {{ .Template.Name }}`, `{{ .Release | toJson | quote }}`, `{{ keys .Subcharts | sortAlpha | join "," }}`,
	`{{ .Files.Get "conf/a.txt" | quote }}`, `{{ (.Files.Glob "conf/*").AsConfig | quote }}`, `{{ (.Files.Glob "**").AsSecrets | quote }}`, `{{ range .Files.Lines "conf/b.txt" }}{{ . }};{{ end }}`, `{{ range $p, $b := .Files }}{{ $p }} {{ end }}`,
	`{{ $_ := set .Values "x" "changed" }}{{ .Values.x }}`, `{{ $_ := set .Values.global "x" "changed" }}{{ .Values.global.x }}`, `{{ $_ := unset .Values "y" }}{{ .Values.y }}`, `{{ $_ := merge .Values (dict "b" (dict "z" 1)) }}{{ .Values.b }}`,
	`{{ .Values.x }}`, `{{ .Values.a.x }}`, `{{ .Values.a.b.x.y }}`, `{{ required "x is needed" .Values.x }}`, `{{ tpl (.Values.x | toString) . }}`, `{{ tpl (toYaml .Values.list) . | quote }}`, `{{ with .Values.a }}{{ . | toJson | quote }}{{ end }}`,
	`{{ .Subcharts.a.Values | toJson | quote }}`, `{{ .Subcharts.a.Chart.Name }}`, `{{ .Values.Table "a" | toJson | quote }}`, `{{ .Capabilities.KubeVersion }}{{ .Capabilities.APIVersions.Has "apps/v1" }}`, `{{ printf "%v" .Values | quote }}`, `{{ typeOf .Values }}{{ typeOf .Values.x }}{{ kindOf .Values.a }}`,
	`{{ lookup "v1" "Secret" "" "" | toJson | quote }}`, `{{ range $k, $v := .Values }}{{ $k }};{{ end }}`, `{{ fail "no" }}`, `{{ toYaml .Chart | quote }}`, `{{ .Values.global.a.b }}`, `{{ index .Values "a.b" }}`, `{{ fromYaml (toYaml .Values) | toJson | quote }}`,
}

func (w *chartWriter) template(name string, i int) string {
	var b strings.Builder
	for doc := range 1 + w.pick(3) {
		b.WriteString(w.one("---\n", "---\n", "", "--- \n", "---\n# a comment\n", "---\n---\n"))
		kind := w.one("ConfigMap", "Service", "Deployment", "Namespace", "Job", "Secret", "Thing", "ServiceAccount", "Pod")
		fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata:\n  name: n-{{ .Chart.Name }}-%d-%d-{{ .Template.Name | sha256sum | trunc 5 }}\n", w.one("v1", "apps/v1"), kind, i, doc)
		if w.pick(4) == 0 {
			fmt.Fprintf(&b, "  annotations:\n    helm.sh/hook: %s\n    helm.sh/hook-weight: %q\n    helm.sh/hook-delete-policy: %s\n",
				w.one("pre-install", "post-install,pre-upgrade", "test", "crd-install", " Post-Delete "), w.one("1", "-3", "x", ""), w.one("hook-succeeded", "before-hook-creation, hook-failed", "\"\""))
		}
		b.WriteString("data:\n")
		for e := range 1 + w.pick(3) {
			text := expressions[w.pick(len(expressions))]
			if text == `{{ fail "no" }}` && w.pick(4) > 0 {
				text = "x"
			}
			fmt.Fprintf(&b, "  k%d: %s\n", e, strings.ReplaceAll(text, "NAME", w.one(name, name, "a", "b")))
		}
	}
	return b.String()
}

// checkChart holds a chart made of bytes against Helm.
func checkChart(t *testing.T, data []byte) {
	w := &chartWriter{data: data, files: map[string]string{}, left: 7}
	w.chart("", "root", 0)
	user := w.values(3)
	if w.pick(3) == 0 {
		user = map[string]any{}
	}
	load := w.helmLoader(t)
	fsys := fstest.MapFS{}
	for name, text := range w.files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	c, err := LoadFS(fsys)
	_, helmErr := load()
	if (err == nil) != (helmErr == nil) {
		t.Fatalf("loading: %v, Helm: %v", err, helmErr)
	}
	if err != nil {
		return
	}
	values, err := MergeValues(FromYAML("values", []byte(asYAML(user))))
	if err != nil {
		t.Fatal(err)
	}
	o := oracle.Options{Name: "demo", Namespace: "prod", Revision: 1, Strict: w.pick(4) == 0}
	in, err := Input{Name: o.Name, Namespace: o.Namespace, Values: values, Strict: o.Strict}.checked()
	if err != nil {
		t.Fatal(err)
	}
	if c.parsed.CheckInstallable() != nil {
		if _, err := oracle.Template(must(load()), values.Map(), o); err == nil {
			t.Fatal("Helm installs it")
		}
		return
	}
	want, helmErr := oracle.Files(must(load()), values.Map(), o)
	for range 2 {
		m, _, err := c.renderFiles(t.Context(), in.Limits.account(t.Context()), in)
		if helmErr != nil || err != nil {
			sameFailure(t, err, helmErr)
			continue
		}
		if diff := cmp.Diff(want, m.Files); diff != "" {
			t.Fatalf("files differ (-helm +render):\n%s", diff)
		}
	}
	if helmErr == nil && !o.Strict {
		samePrinted(t, c, in, must(load()), o)
	}
}

func must(c *chart.Chart, err error) *chart.Chart {
	if err != nil {
		panic(err) // it was loaded before
	}
	return c
}

// helmLoader loads the chart with Helm, from disk where .helmignore counts.
func (w *chartWriter) helmLoader(t *testing.T) func() (*chart.Chart, error) {
	if w.files[".helmignore"] == "" {
		return func() (*chart.Chart, error) {
			var files []*loader.BufferedFile
			for name, text := range w.files {
				files = append(files, &loader.BufferedFile{Name: name, Data: []byte(text)})
			}
			slices.SortFunc(files, func(a, b *loader.BufferedFile) int { return strings.Compare(a.Name, b.Name) })
			return loader.LoadFiles(files)
		}
	}
	dir := t.TempDir()
	for name, text := range w.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return func() (*chart.Chart, error) { return loader.Load(dir) }
}

func sameFailure(t *testing.T, err, helmErr error) {
	t.Helper()
	var at *template.Error
	switch {
	case (err == nil) != (helmErr == nil):
		t.Fatalf("error %v, Helm's is %v", err, helmErr)
	case errors.As(err, &at) && at.Error() != helmErr.Error():
		t.Fatalf("error %v\nHelm's is %v", at, helmErr)
	}
}

// samePrinted holds the whole of a render against helm template. Only what a
// cluster would refuse may be refused here alone.
func samePrinted(t *testing.T, c *Chart, in Input, oracleChart *chart.Chart, o oracle.Options) {
	t.Helper()
	r, helmErr := oracle.Template(oracleChart, in.Values.Map(), o)
	m, err := c.Render(t.Context(), in)
	var duplicate *DuplicateError
	var e *Error
	if err != nil && helmErr == nil && (errors.As(err, &duplicate) || errors.As(err, &e) && e.Op == "parse") {
		return
	}
	if (err == nil) != (helmErr == nil) {
		t.Fatalf("error %v, Helm's is %v", err, helmErr)
	}
	if err != nil {
		return
	}
	var b strings.Builder
	if err := m.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(oracle.Printed(r), b.String()); diff != "" {
		t.Fatalf("what is printed differs (-helm +render):\n%s", diff)
	}
	if r.Info.Notes != m.Notes {
		t.Fatalf("notes %q, Helm's %q", m.Notes, r.Info.Notes)
	}
	for i, h := range r.Hooks {
		if own := m.Hooks[i]; own.Weight != h.Weight || len(own.Events) != len(h.Events) || len(own.DeletePolicies) != max(1, len(h.DeletePolicies)) {
			t.Fatalf("hook %+v, Helm's %+v", own, h)
		}
	}
}

// FuzzChart compares whole charts, of every structure and with values of every
// shape, with Helm: bytes, failures and order.
func FuzzChart(f *testing.F) {
	for i := range 50 {
		f.Add(chartSeed(uint64(i)))
	}
	f.Fuzz(checkChart)
}

func chartSeed(n uint64) []byte {
	r := rand.New(rand.NewPCG(n, 3))
	data := make([]byte, 200+r.IntN(800))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// TestRandomCharts is the fuzzer with a fixed number of its own seeds.
func TestRandomCharts(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 30 // besides the fuzzer's own
	}
	for i := range n {
		if !t.Run(fmt.Sprint(i), func(t *testing.T) { checkChart(t, chartSeed(uint64(1000+i))) }) {
			return
		}
	}
}
