package template

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/glob"
	"github.com/google/uuid"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// asMap is the option that the renderer gives.
func asMap(v any, key string) (map[string]any, bool) { return chartfile.AsMap(v, key) }

// files are a chart's files, with those methods of Helm's that the tests use.
type files map[string][]byte

func (f files) Get(name string) string      { return string(f[name]) }
func (f files) GetBytes(name string) []byte { return f[name] }
func (f files) Lines(name string) []string {
	if len(f[name]) == 0 {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(string(f[name]), "\n"), "\n")
}

func (f files) Glob(pattern string) files {
	g, err := glob.Compile(pattern, '/')
	if err != nil {
		g, _ = glob.Compile("**")
	}
	out := files{}
	for name, data := range f {
		if g.Match(name) {
			out[name] = data
		}
	}
	return out
}

func (f files) AsConfig() string {
	m := map[string]string{}
	for name, data := range f {
		m[path.Base(name)] = string(data)
	}
	return toYAML(m)
}

func (f files) AsSecrets() string {
	m := map[string]string{}
	for name, data := range f {
		m[path.Base(name)] = b64(data)
	}
	return toYAML(m)
}

// seed makes what templates draw at random the same each time, until the end of
// the test.
func seed(t testing.TB, n uint64) {
	t.Helper()
	before := cryptorand.Reader
	t.Cleanup(func() { cryptorand.Reader = before })
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], n)
	cryptorand.Reader = mathrand.NewChaCha8(key)
	uuid.SetRand(cryptorand.Reader)
	t.Cleanup(func() { uuid.SetRand(nil) })
}

// job is a template with the data that Helm gives it.
type job struct {
	source Source
	data   chartutil.Values
}

// jobs prepares the templates of a chart as Helm's engine does.
func jobs(c *chart.Chart, vals chartutil.Values) map[string]job {
	out := map[string]job{}
	collect(c, out, vals)
	return out
}

func collect(c *chart.Chart, out map[string]job, vals chartutil.Values) map[string]any {
	subcharts := map[string]any{}
	own := files{}
	for _, f := range c.Files {
		own[f.Name] = f.Data
	}
	next := map[string]any{
		"Chart": struct {
			chart.Metadata
			IsRoot bool
		}{*c.Metadata, c.IsRoot()},
		"Files":        own,
		"Release":      vals["Release"],
		"Capabilities": vals["Capabilities"],
		"Values":       chartutil.Values{},
		"Subcharts":    subcharts,
	}
	if c.IsRoot() {
		next["Values"] = vals["Values"]
	} else if vs, err := vals.Table("Values." + c.Name()); err == nil {
		next["Values"] = vs
	}
	for _, child := range c.Dependencies() {
		subcharts[child.Name()] = collect(child, out, next)
	}
	for _, t := range c.Templates {
		if t == nil || strings.EqualFold(c.Metadata.Type, "library") && !strings.HasPrefix(path.Base(t.Name), "_") {
			continue
		}
		name := path.Join(c.ChartFullPath(), t.Name)
		out[name] = job{Source{name, string(t.Data)}, next}
	}
	return next
}

func compileChart(c *chart.Chart) (*Set, error) {
	var sources []Source
	for _, j := range jobs(c, chartutil.Values{"Values": chartutil.Values{}}) {
		sources = append(sources, j.source)
	}
	return Compile(sources, Options{AsMap: asMap})
}

// renderSet does with a Set what the engine does with a chart.
func renderSet(s *Set, env Env, c *chart.Chart, vals chartutil.Values) (map[string]string, error) {
	all := jobs(c, vals)
	out := map[string]string{}
	run := s.NewRun(context.Background(), env)
	for _, name := range s.Names() {
		j := all[name]
		j.data["Template"] = chartutil.Values{"Name": name, "BasePath": path.Join(strings.SplitAfterN(name, "templates", 2)[0])}
		text, err := run.Execute(name, j.data)
		if err != nil {
			return map[string]string{}, err
		}
		out[name] = text
	}
	return out, nil
}

func ours(c *chart.Chart, vals chartutil.Values, strict bool) (map[string]string, error) {
	s, err := compileChart(c)
	if err != nil {
		return map[string]string{}, err
	}
	return renderSet(s, Env{Strict: strict}, c, vals)
}

func helms(c *chart.Chart, vals chartutil.Values, strict bool) (map[string]string, error) {
	return engine.Engine{Strict: strict}.Render(c, vals)
}

// caps are capabilities like the default ones.
func renderValues(values map[string]any) chartutil.Values {
	return chartutil.Values{
		"Release": map[string]any{
			"Name": "rel", "Namespace": "ns", "IsUpgrade": false, "IsInstall": true, "Revision": 1, "Service": "Helm",
		},
		"Capabilities": chartutil.DefaultCapabilities.Copy(),
		"Values":       chartutil.Values(values),
	}
}

// testChart is a chart of the given templates, by file name below templates/.
func testChart(templates map[string]string) *chart.Chart {
	c := &chart.Chart{
		Metadata: &chart.Metadata{
			Name: "demo", Version: "1.2.3", AppVersion: "4.5.6", APIVersion: "v2", Keywords: []string{"a", "b"},
			Maintainers: []*chart.Maintainer{{Name: "ann", Email: "ann@example.com"}, {Name: "bob"}},
			Annotations: map[string]string{"k": "v"},
		},
		Files: []*chart.File{
			{Name: "conf/a.txt", Data: []byte("one\ntwo\n")}, {Name: "conf/b.txt", Data: []byte("three")},
			{Name: "empty", Data: nil}, {Name: "bin", Data: []byte{0xff, 0xfe, 0}},
		},
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		c.Templates = append(c.Templates, &chart.File{Name: "templates/" + name, Data: []byte(templates[name])})
	}
	return c
}

var addresses = regexp.MustCompile(`0x[0-9a-f]{8,}`)

// outcome is a render as one text, to compare, without addresses of memory.
func outcome(out map[string]string, err error) string {
	if err != nil {
		return addresses.ReplaceAllString("error: "+err.Error(), "0x…")
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(out)) {
		fmt.Fprintf(&b, "--- %s\n%s\n", name, out[name])
	}
	return addresses.ReplaceAllString(b.String(), "0x…")
}

// same renders by both engines, strict and not, and compares.
func same(t *testing.T, templates map[string]string, values func() map[string]any) {
	t.Helper()
	for _, strict := range []bool{false, true} {
		c := testChart(templates)
		want := outcome(helms(c, renderValues(values()), strict))
		got := outcome(ours(c, renderValues(values()), strict))
		if got != want {
			t.Errorf("strict %v, templates %q\n got %s\nwant %s", strict, templates, got, want)
		}
	}
}
