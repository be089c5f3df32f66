package oracle

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// Shape is a generated chart with values for it.
type Shape struct {
	Name string
	// Files are those of the chart by their path, unless it is in Dir.
	Files  map[string]string
	Values map[string]any
	Dir    string
}

// Shapes are charts that speed is measured on: what helm create makes, an
// umbrella of thirty of these that read globals, and one that renders nearly
// all through tpl in the manner of library charts. They use dir, which must be
// empty.
func Shapes(dir string) ([]Shape, error) {
	small, err := created("small", dir)
	if err != nil {
		return nil, err
	}
	umbrella, err := umbrellaShape("umbrella", dir, 30)
	if err != nil {
		return nil, err
	}
	return []Shape{{Name: "small", Files: small, Values: busy()}, umbrella, tplShape()}, nil
}

// LargeShapes are more of them: one with ten CustomResourceDefinitions of 100 KB below
// crds/, an operator with one of 1 MB, and an umbrella of 150 subcharts. They use dir,
// which must be empty.
func LargeShapes(dir string) ([]Shape, error) {
	definitions, err := definitionsShape("crds", dir, 10, 100<<10)
	if err != nil {
		return nil, err
	}
	operator, err := definitionsShape("operator", dir, 1, 1<<20)
	if err != nil {
		return nil, err
	}
	wide, err := umbrellaShape("wide", dir, 150)
	return []Shape{definitions, operator, wide}, err
}

// FS is the chart as a file system.
func (s Shape) FS() fs.FS {
	if s.Dir != "" {
		return os.DirFS(s.Dir)
	}
	fsys := fstest.MapFS{}
	for name, text := range s.Files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return fsys
}

// Load loads the chart with Helm's loader.
func (s Shape) Load() (*chart.Chart, error) {
	if s.Dir != "" {
		return loader.LoadDir(s.Dir)
	}
	var files []*loader.BufferedFile
	for name, text := range s.Files {
		files = append(files, &loader.BufferedFile{Name: name, Data: []byte(text)})
	}
	return loader.LoadFiles(files)
}

// created is the files of a chart that helm create makes.
func created(name, dir string) (map[string]string, error) {
	before := chartutil.Stderr
	chartutil.Stderr = io.Discard
	defer func() { chartutil.Stderr = before }()
	root, err := chartutil.Create(name, dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(root, path)
		files[filepath.ToSlash(inside)] = string(text)
		return err
	})
	return files, err
}

// busy switches on most of what such a chart has.
func busy() map[string]any {
	return map[string]any{
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
}

const globalTemplate = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "NAME.fullname" . }}-global
  labels: {{- include "NAME.labels" . | nindent 4 }}
data:
  registry: {{ .Values.global.imageRegistry | default "docker.io" | quote }}
  {{- range $k, $v := .Values.global.env }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
  {{- if and .Values.global.metrics.enabled (not .Values.autoscaling.enabled) }}
  metrics: {{ printf "%s:%d" .Values.global.metrics.host (int .Values.global.metrics.port) }}
  {{- end }}
`

// umbrellaShape is a chart of so many subcharts that read globals.
func umbrellaShape(name, dir string, subcharts int) (Shape, error) {
	s := Shape{Name: name, Files: map[string]string{}, Values: map[string]any{"global": map[string]any{
		"imageRegistry": "r.example.com", "metrics": map[string]any{"enabled": true, "host": "m", "port": 9090.0},
		"env": map[string]any{"A": "1", "B": "two", "C": true, "D": 4.5},
	}}}
	var about strings.Builder
	about.WriteString("apiVersion: v2\nname: " + name + "\nversion: 1.0.0\ndependencies:\n")
	for i := range subcharts {
		name := fmt.Sprintf("sub%02d", i)
		files, err := created(name, dir)
		if err != nil {
			return s, err
		}
		for path, text := range files {
			s.Files["charts/"+name+"/"+path] = text
		}
		s.Files["charts/"+name+"/templates/global.yaml"] = strings.ReplaceAll(globalTemplate, "NAME", name)
		fmt.Fprintf(&about, "- {name: %s, version: 0.1.0, condition: %s.enabled}\n", name, name)
		s.Values[name] = busy()
	}
	s.Files["Chart.yaml"] = about.String()
	return s, nil
}

const tplLibrary = `
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

const tplTemplate = `apiVersion: example.com/v1
kind: Thing
metadata:
  name: thing-NUMBER
  labels: {{- include "lib.labels" . | nindent 4 }}
data:
{{- range .Values.items }}
  {{ .name }}: {{ include "lib.render" (dict "value" .value "context" $) | quote }}
{{- end }}
spec: {{- include "lib.render" (dict "value" .Values.spec "context" $) | nindent 2 }}
`

func tplShape() Shape {
	s := Shape{Name: "tpl", Files: map[string]string{
		"Chart.yaml":                      "apiVersion: v2\nname: tpls\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 1.0.0}\n",
		"charts/lib/Chart.yaml":           "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
		"charts/lib/templates/_lib.tpl":   tplLibrary,
		"charts/lib/templates/_empty.tpl": "",
	}}
	for i := range 10 {
		s.Files[fmt.Sprintf("templates/thing%d.yaml", i)] = strings.ReplaceAll(tplTemplate, "NUMBER", fmt.Sprint(i))
	}
	items := []any{}
	for i := range 20 {
		items = append(items, map[string]any{
			"name": fmt.Sprintf("k%d", i), "value": fmt.Sprintf(`{{ .Release.Name }}-%d-{{ include "lib.fullname" . }}`, i),
		})
	}
	s.Values = map[string]any{
		"items": items, "labels": map[string]any{"app": "{{ .Chart.Name }}", "rel": "{{ .Release.Name | lower }}"},
		"spec": map[string]any{"replicas": 3, "host": "{{ .Values.items | len }}.example.com", "containers": []any{
			map[string]any{"name": "main", "image": "{{ .Chart.Name }}:{{ .Chart.Version }}", "args": []any{"-v", "--x={{ .Release.Namespace }}"}},
		}},
	}
	return s
}
