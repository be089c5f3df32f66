package render

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Each bad input gives an error that says where it is and what to do.
func TestBadInput(t *testing.T) {
	schema := chartYAML + `
-- values.yaml --
service: {port: 80}
-- values.schema.json --
{"type": "object", "properties": {"service": {"type": "object", "additionalProperties": false, "properties": {"port": {"type": "integer", "maximum": 65535}}},
 "level": {"enum": ["info", "debug"]}, "password": {"type": "integer"}}}
`
	template := func(text string) string { return chartYAML + "-- templates/x.yaml --\n" + text }
	for name, c := range map[string]struct {
		chart  string
		values []Layer
		in     Input
		want   Error  // the fields that are not zero
		text   string // a part of the words
	}{
		"no Chart.yaml": {
			chart: "-- values.yaml --\na: 1\n",
			want:  Error{Op: "load", File: "Chart.yaml"}, text: "a chart needs a Chart.yaml",
		},
		"broken Chart.yaml": {
			chart: "-- Chart.yaml --\napiVersion: v2\nname: web\n  version: 1\n",
			want:  Error{Op: "load", File: "Chart.yaml", Line: 3}, text: "mapping values are not allowed",
		},
		"list as Chart.yaml": {
			chart: "-- Chart.yaml --\n- a\n",
			want:  Error{Op: "load", File: "Chart.yaml"}, text: "must be a mapping",
		},
		"version that is a number": {
			chart: "-- Chart.yaml --\napiVersion: v2\nname: web\nversion: [1]\n",
			want:  Error{Op: "load", File: "Chart.yaml"}, text: "version is of type",
		},
		"no version": {
			chart: "-- Chart.yaml --\napiVersion: v2\nname: web\n",
			want:  Error{Op: "load", File: "Chart.yaml"}, text: "semantic version such as 1.2.3",
		},
		"broken subchart": {
			chart: chartYAML + "-- charts/db/Chart.yaml --\nname: db\n",
			want:  Error{Op: "load", Chart: "charts/db", File: "charts/db/Chart.yaml"}, text: "version is required",
		},
		"broken values.yaml": {
			chart: chartYAML + "-- values.yaml --\na: 1\nb: [\n",
			want:  Error{Op: "load", File: "values.yaml", Line: 2},
		},
		"broken .helmignore": {
			chart: chartYAML + "-- .helmignore --\na/**/b\n",
			want:  Error{Op: "load", File: ".helmignore"},
		},
		"library chart": {
			chart: chartYAML + "type: library\n",
			want:  Error{Op: "render", Chart: "web", File: "web/Chart.yaml"}, text: "library charts are not installable",
		},
		"missing dependency": {
			chart: chartYAML + "dependencies:\n- {name: db, version: 1.0.0, repository: 'https://example.com'}\n",
			want:  Error{Op: "render", Chart: "web", File: "web/Chart.yaml"}, text: "helm dependency build",
		},
		"Kubernetes too old": {
			chart: chartYAML + "kubeVersion: '>=1.30.0'\n",
			in:    Input{Capabilities: &Capabilities{KubeVersion: KubeVersion{Version: "v1.29.3"}}},
			want:  Error{Op: "render", Chart: "web", File: "web/Chart.yaml"}, text: ">=1.30.0 which is incompatible with Kubernetes v1.29.3",
		},
		"no Kubernetes version": {
			chart: chartYAML, in: Input{Capabilities: &Capabilities{KubeVersion: KubeVersion{Version: "new"}}},
			want: Error{Op: "render", Chart: "web"}, text: `"new" is no version`,
		},
		"unknown function": {
			chart: template("a: {{ nothing 1 }}\n"),
			want:  Error{Op: "render", Chart: "web", File: "web/templates/x.yaml", Line: 1}, text: `function "nothing" not defined`,
		},
		"missing value": {
			chart: template("a: 1\nb: {{ .Values.image.repository }}\n"), values: []Layer{FromYAML("prod.yaml", []byte("other: 1"))},
			want: Error{Op: "render", Chart: "web", File: "web/templates/x.yaml", Line: 2, Column: 14, Path: "image.repository"}, text: "in any of prod.yaml",
		},
		"missing value of a chart without values": {
			chart: chartYAML + "-- templates/x.yaml --\nb: {{ .Values.image.repository }}\n",
			want:  Error{Op: "render", Chart: "web", File: "web/templates/x.yaml", Line: 1, Path: "image.repository"}, text: "the chart has no values.yaml",
		},
		"missing value in a subchart": {
			chart: chartYAML + "-- charts/db/Chart.yaml --\napiVersion: v2\nname: db\nversion: 1.0.0\n-- charts/db/templates/x.yaml --\n{{ $.Values.a.b.c }}\n-- values.yaml --\nother: 1\n",
			want:  Error{Op: "render", Chart: "web/charts/db", File: "web/charts/db/templates/x.yaml", Line: 1, Path: "db.a.b", Looked: []string{"web/values.yaml"}, Expr: "$.Values.a.b.c"},
		},
		"error in a partial": {
			chart: template("x: {{ include \"part\" . }}\n") + "-- templates/_p.tpl --\n{{ define \"part\" }}\n{{ .Values.a.b.c }}\n{{ end }}\n",
			want:  Error{Op: "render", Chart: "web", File: "web/templates/_p.tpl", Line: 2, Path: "a.b", Include: []Frame{{File: "web/templates/x.yaml", Line: 1, Column: 7, Call: `include "part" .`}}},
		},
		"missing partial": {
			chart: template("x: {{ include \"part\" . }}\n"),
			want:  Error{Op: "render", File: "web/templates/x.yaml", Line: 1}, text: "prefix all:",
		},
		"required value": {
			chart: template("\nx: {{ required \"name an image\" .Values.image }}\n"),
			want:  Error{Op: "render", File: "web/templates/x.yaml", Line: 2}, text: "name an image",
		},
		"fail": {
			chart: template("{{ fail \"no way\" }}\n"), want: Error{Op: "render", File: "web/templates/x.yaml", Line: 1}, text: "no way",
		},
		"broken output": {
			chart: template("{{/* two\nlines */}}\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n   labels: {}\n"),
			want:  Error{Op: "parse", Chart: "web", File: "web/templates/x.yaml", Line: 6, RenderedLine: 5}, text: "indentation",
		},
		"text": {
			chart: template("# c\n\nhello\n"),
			want:  Error{Op: "parse", File: "web/templates/x.yaml", Line: 3, RenderedLine: 3}, text: `must be a mapping, this is text: "hello"`,
		},
		"no kind": {
			chart: template("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n# second\napiVersion: {{ \"v2\" }}\nmetadata: {name: b}\n"),
			want:  Error{Op: "parse", File: "web/templates/x.yaml", Line: 6, RenderedLine: 6, Err: ErrNoKind},
		},
		"no apiVersion": {chart: template("kind: Service\nmetadata: {name: a}\n"), want: Error{Op: "parse", RenderedLine: 1, Line: 1, Err: ErrNoAPIVersion}},
		"no name":       {chart: template("apiVersion: v1\nkind: Service\n"), want: Error{Op: "parse", RenderedLine: 1, Line: 1, Err: ErrNoName}},
		"number as label": {
			chart: template("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels:\n    version: {{ 1.5 }}\n"),
			want:  Error{Op: "parse", File: "web/templates/x.yaml", Line: 6, RenderedLine: 6}, text: "put the value in quotes",
		},
		"item of a list": {
			chart: template("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service}\n"),
			want:  Error{Op: "parse", Err: ErrNoName}, text: "items[0]",
		},
		"broken CRD": {
			chart: chartYAML + "-- crds/a.yaml --\nkind: X\n  a: 1\n",
			want:  Error{Op: "parse", File: "web/crds/a.yaml", Line: 2},
		},
		"no release name":  {chart: chartYAML, in: Input{Name: "-"}, want: Error{Op: "render"}, text: "no DNS subdomain"},
		"long name":        {chart: chartYAML, in: Input{Name: strings.Repeat("a", 54)}, want: Error{Op: "render"}, text: "54 characters, Helm allows 53"},
		"wrong namespace":  {chart: chartYAML, in: Input{Namespace: "A"}, want: Error{Op: "render"}, text: `namespace "A"`},
		"broken values":    {chart: chartYAML, values: []Layer{FromYAML("v.yaml", []byte("a: 1\nb: {"))}, want: Error{Op: "values", File: "v.yaml", Line: 2}},
		"values as a list": {chart: chartYAML, values: []Layer{FromYAML("v.yaml", []byte("- a"))}, want: Error{Op: "values", File: "v.yaml"}, text: "must be a mapping, this is a list"},
		"no values file":   {chart: chartYAML, values: []Layer{FromFile("nowhere.yaml")}, want: Error{Op: "values", File: "nowhere.yaml"}, text: "check the path"},
		"invalid --set":    {chart: chartYAML, values: []Layer{FromSet("a[=1")}, want: Error{Op: "values"}, text: "write path=value"},
		"set no value":     {chart: chartYAML, values: []Layer{FromSet("a")}, want: Error{Op: "values", File: "--set a"}},
		"invalid JSON":     {chart: chartYAML, values: []Layer{FromSetJSON("a={")}, want: Error{Op: "values", File: "--set-json a"}},
		"no set file":      {chart: chartYAML, values: []Layer{FromSetFile("a=nowhere")}, want: Error{Op: "values", File: "--set-file a"}, text: "no such file"},
		"Go struct":        {chart: chartYAML, values: []Layer{FromMap("m", map[string]any{"a": []any{struct{}{}}})}, want: Error{Op: "values", File: "m", Path: "a[0]"}},
		"subchart's values": {
			chart: chartYAML + "-- charts/db/Chart.yaml --\napiVersion: v2\nname: db\nversion: 1.0.0\n", values: []Layer{FromSet("db=5")},
			want: Error{Op: "render", Chart: "web", Path: "db"}, text: "must be a mapping",
		},
		"broken schema": {
			chart: chartYAML + "-- values.schema.json --\n{\n", want: Error{Op: "render", Chart: "web", File: "web/values.schema.json"},
		},
		"schema": {
			chart: schema, values: []Layer{FromYAML("prod.yaml", []byte("level: x\nservice:\n  port: web\n  prot: 1\n")), FromSet("password=hunter2")},
			text: `values do not meet the chart's schema
  web: level: wanted one of "info", "debug", found "x" (prod.yaml:1)
  web: password: wanted integer, found a hidden value of type string (--set password)
  web: service.port: wanted integer, found "web" (prod.yaml:3)
  web: service.prot: wanted no such value, the name is unknown to the schema (perhaps "port" is meant), found 1 (prod.yaml:4)`,
		},
		"duplicate": {
			chart: template("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n") + "-- templates/y.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: default}\n",
			text:  "Service default/a is rendered by both web/templates/x.yaml and web/templates/y.yaml",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := func() error {
				loaded, err := LoadFS(files(t, c.chart))
				if err != nil {
					return err
				}
				in := c.in
				if in.Name == "" {
					in.Name = "demo"
				}
				if in.Values, err = MergeValues(c.values...); err != nil {
					return err
				}
				m, err := loaded.Render(t.Context(), in)
				if m != nil && err != nil {
					t.Error("both a manifest and an error")
				}
				return err
			}()
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v\nlacks: %s", err, c.text)
			}
			if c.want.Op == "" {
				return
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T", err)
			}
			check := func(field string, got, want, zero any) {
				if want != zero && got != want {
					t.Errorf("%s is %v, want %v (%v)", field, got, want, err)
				}
			}
			if c.want.Looked != nil && !slices.Equal(e.Looked, c.want.Looked) || c.want.Expr != "" && e.Expr != c.want.Expr {
				t.Errorf("looked in %v, expression %s", e.Looked, e.Expr)
			}
			if len(e.Include) != len(c.want.Include) {
				t.Errorf("include chain %+v", e.Include)
			} else if len(e.Include) > 0 && e.Include[0] != c.want.Include[0] {
				t.Errorf("include chain %+v", e.Include)
			}
			check("Op", e.Op, c.want.Op, "")
			check("Chart", e.Chart, c.want.Chart, "")
			check("File", e.File, c.want.File, "")
			check("Line", e.Line, c.want.Line, 0)
			check("Column", e.Column, c.want.Column, 0)
			check("RenderedLine", e.RenderedLine, c.want.RenderedLine, 0)
			check("Path", e.Path, c.want.Path, "")
			if c.want.Err != nil && !errors.Is(err, c.want.Err) {
				t.Errorf("%v is not %v", err, c.want.Err)
			}
			if e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestRenderEndsWithContext(t *testing.T) {
	c := loadText(t, chartYAML+"-- templates/x.yaml --\n{{ range $i := until 100000 }}{{ range $j := until 10000 }}{{ end }}{{ end }}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Render(ctx, Input{Name: "demo"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	var limit *LimitError
	if _, err := c.Render(t.Context(), Input{Name: "demo", Limits: Limits{Time: 1, Steps: -1}}); !errors.As(err, &limit) || limit.Limit != "Time" {
		t.Errorf("error %v", err)
	}
}
