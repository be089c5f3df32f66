package template

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// prepared is a chart with the values that its templates are to be rendered on.
type prepared struct {
	chart *chart.Chart
	vals  chartutil.Values
}

func prepare(t testing.TB, c *chart.Chart, user map[string]any) prepared {
	t.Helper()
	if err := chartutil.ProcessDependenciesWithMerge(c, user); err != nil {
		t.Fatal(err)
	}
	vals, err := chartutil.ToRenderValues(c, user, chartutil.ReleaseOptions{
		Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return prepared{c, vals}
}

// shapes are the charts of the benchmarks.
var shapes = map[string]func(testing.TB) prepared{
	"small":    smallShape,
	"umbrella": umbrellaShape,
	"tpl":      tplShape,
}

var busyValues = map[string]any{
	"ingress": map[string]any{
		"enabled": true, "className": "nginx", "annotations": map[string]any{"a/b": "c", "d": "e"},
		"tls":   []any{map[string]any{"secretName": "tls", "hosts": []any{"x.example.com"}}},
		"hosts": []any{map[string]any{"host": "x.example.com", "paths": []any{map[string]any{"path": "/", "pathType": "Prefix"}}}},
	},
	"resources": map[string]any{
		"limits": map[string]any{"cpu": "100m", "memory": "128Mi"}, "requests": map[string]any{"cpu": "100m", "memory": "128Mi"},
	},
	"podAnnotations":  map[string]any{"checksum/config": "0123456789", "prometheus.io/scrape": "true"},
	"podLabels":       map[string]any{"team": "a"},
	"nodeSelector":    map[string]any{"kubernetes.io/os": "linux"},
	"tolerations":     []any{map[string]any{"key": "k", "operator": "Exists"}},
	"autoscaling":     map[string]any{"enabled": true, "targetMemoryUtilizationPercentage": 80},
	"securityContext": map[string]any{"runAsUser": 1000, "capabilities": map[string]any{"drop": []any{"ALL"}}},
}

// smallShape is what `helm create` makes, with much of it switched on.
func smallShape(t testing.TB) prepared {
	return prepare(t, created(t, "small"), busyValues)
}

func created(t testing.TB, name string) *chart.Chart {
	t.Helper()
	dir := t.TempDir()
	chartutil.Stderr = &strings.Builder{}
	if _, err := chartutil.Create(name, dir); err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadDir(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// umbrellaShape is a chart of thirty subcharts that read globals.
func umbrellaShape(t testing.TB) prepared {
	const template = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "%[1]s.fullname" . }}-global
  labels: {{- include "%[1]s.labels" . | nindent 4 }}
data:
  registry: {{ .Values.global.imageRegistry | default "docker.io" | quote }}
  {{- range $k, $v := .Values.global.env }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
  {{- if and .Values.global.metrics.enabled (not .Values.autoscaling.enabled) }}
  metrics: {{ printf "%%s:%%d" .Values.global.metrics.host (int .Values.global.metrics.port) }}
  {{- end }}
`
	parent := &chart.Chart{Metadata: &chart.Metadata{Name: "umbrella", Version: "1.0.0", APIVersion: "v2"}}
	user := map[string]any{"global": map[string]any{
		"imageRegistry": "r.example.com", "metrics": map[string]any{"enabled": true, "host": "m", "port": 9090.0},
		"env": map[string]any{"A": "1", "B": "two", "C": true, "D": 4.5},
	}}
	for i := range 30 {
		name := fmt.Sprintf("sub%02d", i)
		c := created(t, name)
		c.Templates = append(c.Templates, &chart.File{Name: "templates/global.yaml", Data: fmt.Appendf(nil, template, name)})
		parent.AddDependency(c)
		user[name] = busyValues
	}
	return prepare(t, parent, user)
}

// tplShape renders nearly all through tpl, in the manner of library charts.
func tplShape(t testing.TB) prepared {
	const library = `
{{- define "lib.render" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) }}
{{- if contains "{{" (toJson .value) }}{{- tpl $value .context }}{{- else }}{{- $value }}{{- end }}
{{- end -}}
{{- define "lib.fullname" -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- define "lib.labels" -}}
app.kubernetes.io/name: {{ include "lib.fullname" . }}
{{ include "lib.render" (dict "value" .Values.labels "context" $) }}
{{- end -}}
`
	var b strings.Builder
	b.WriteString("kind: ConfigMap\nmetadata:\n  labels: {{- include \"lib.labels\" . | nindent 4 }}\ndata:\n")
	b.WriteString("{{- range .Values.items }}\n  {{ .name }}: {{ include \"lib.render\" (dict \"value\" .value \"context\" $) | quote }}\n{{- end }}\n")
	b.WriteString("spec: {{- include \"lib.render\" (dict \"value\" .Values.spec \"context\" $) | nindent 2 }}\n")
	c := &chart.Chart{Metadata: &chart.Metadata{Name: "tpls", Version: "1.0.0", APIVersion: "v2"}}
	c.Templates = append(c.Templates, &chart.File{Name: "templates/_lib.tpl", Data: []byte(library)})
	for i := range 10 {
		c.Templates = append(c.Templates, &chart.File{Name: fmt.Sprintf("templates/cm%d.yaml", i), Data: []byte(b.String())})
	}
	items := []any{}
	for i := range 20 {
		items = append(items, map[string]any{
			"name": fmt.Sprintf("k%d", i), "value": fmt.Sprintf("{{ .Release.Name }}-%d-{{ include \"lib.fullname\" . }}", i),
		})
	}
	return prepare(t, c, map[string]any{
		"items": items, "labels": map[string]any{"app": "{{ .Chart.Name }}", "rel": "{{ .Release.Name | upper }}"},
		"spec": map[string]any{"replicas": 3, "host": "{{ .Values.items | len }}.example.com", "containers": []any{
			map[string]any{"name": "main", "image": "{{ .Chart.Name }}:{{ .Chart.Version }}", "args": []any{"-v", "--x={{ .Release.Namespace }}"}},
		}},
	})
}

func TestShapes(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			p := shape(t)
			want := outcome(helms(p.chart, p.vals, false))
			got := outcome(ours(p.chart, p.vals, false))
			if got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if strings.HasPrefix(want, "error") {
				t.Error(want)
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	for _, name := range []string{"small", "umbrella", "tpl"} {
		p := shapes[name](b)
		b.Run(name+"/helm", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := helms(p.chart, p.vals, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ours(p.chart, p.vals, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/again", func(b *testing.B) {
			s, err := compileChart(p.chart)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := renderSet(s, Env{}, p.chart, p.vals); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestSampleCharts renders the charts that come with Helm's and kwok's sources.
func TestSampleCharts(t *testing.T) {
	rendered := 0
	for _, module := range []string{"helm.sh/helm/v3", "sigs.k8s.io/kwok"} {
		root := moduleDir(t, module)
		if root == "" {
			continue
		}
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "Chart.yaml" && !strings.HasSuffix(path, ".tgz") {
				return err
			}
			if d.Name() == "Chart.yaml" {
				path = filepath.Dir(path)
			}
			for _, strict := range []bool{false, true} {
				h, ok := loadSample(path)
				if !ok {
					return nil
				}
				o, _ := loadSample(path)
				seed(t, 1)
				want := outcome(helms(h.chart, h.vals, strict))
				seed(t, 1)
				got := outcome(ours(o.chart, o.vals, strict))
				if got != want {
					t.Errorf("%s strict %v\n got %s\nwant %s", path, strict, got, want)
				}
				rendered++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if rendered < 100 {
		t.Errorf("only %d sample charts were rendered", rendered)
	}
}

func loadSample(path string) (prepared, bool) {
	c, err := loader.Load(path)
	if err != nil || c.Validate() != nil {
		return prepared{}, false
	}
	if chartutil.ProcessDependenciesWithMerge(c, map[string]any{}) != nil {
		return prepared{}, false
	}
	vals, err := chartutil.ToRenderValuesWithSchemaValidation(c, map[string]any{}, chartutil.ReleaseOptions{
		Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true,
	}, nil, true)
	return prepared{c, vals}, err == nil
}
