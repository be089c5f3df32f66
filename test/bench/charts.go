package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// withoutNotes takes out what is for people.
func withoutNotes(files map[string]string) {
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
}

// renderedChart is a chart whose rendering is measured.
type renderedChart struct{ name, folder string }

// chartShapes writes charts of three shapes: many small templates, one that
// loops over a long list, and named templates and tpl nested through subcharts.
func chartShapes(root string) ([]renderedChart, error) {
	many := map[string]string{"values.yaml": "change: \"0\"\nimage: registry.example/shop:1.0\nport: 8080\nsets: 1\n", "templates/_helpers.tpl": helpers}
	for i := range 40 {
		many[fmt.Sprintf("templates/set-%02d.yaml", i)] = strings.ReplaceAll(mixed, `"shop-%d"`, fmt.Sprintf(`"shop-%d-%%d"`, i))
	}
	nested := map[string]string{
		"values.yaml":            "title: 'shop of {{ .Release.Name }}'\nlines:\n" + strings.Repeat("  - 'line of {{ .Chart.Name }}'\n", 20),
		"templates/_helpers.tpl": helpers + nestedHelpers,
		"templates/objects.yaml": nestedTemplate,
	}
	for i := range 8 {
		sub := fmt.Sprintf("charts/part%d/", i)
		nested[sub+"Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: part%d\nversion: 1.0.0\n", i)
		nested[sub+"values.yaml"] = "title: 'part of {{ .Release.Name }}'\nlines:\n" + strings.Repeat("  - 'line of {{ .Chart.Name }}'\n", 20)
		nested[sub+"templates/objects.yaml"] = nestedTemplate
	}
	var out []renderedChart
	for _, shape := range []struct {
		name  string
		files map[string]string
	}{
		{"40 templates, 400 objects", many},
		{"one loop, 1000 ConfigMaps", map[string]string{
			"values.yaml": "count: 1000\nchange: \"0\"\n", "templates/_helpers.tpl": helpers, "templates/configmaps.yaml": configMaps,
		}},
		{"9 charts, nested includes and tpl", nested},
	} {
		shape.files["Chart.yaml"] = "apiVersion: v2\nname: bench\nversion: 1.0.0\n"
		c := renderedChart{shape.name, filepath.Join(root, strings.NewReplacer(" ", "-", ",", "").Replace(shape.name))}
		if err := writeFiles(c.folder, shape.files); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

const nestedHelpers = `{{- define "bench.deep" -}}
{{- if gt (int .depth) 0 -}}
{{ include "bench.deep" (dict "depth" (sub (int .depth) 1) "root" .root) }}-{{ .depth }}
{{- else -}}
{{ .root.Chart.Name }}
{{- end -}}
{{- end }}
{{- define "bench.lines" -}}
{{- range .Values.lines }}
{{ tpl . $ }}
{{- end }}
{{- end }}
`

const nestedTemplate = `{{- range $i := until 10 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "%s-%d" $.Chart.Name $i }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
  annotations:
    deep: {{ include "bench.deep" (dict "depth" 8 "root" $) | quote }}
    digest: {{ include "bench.lines" $ | sha256sum }}
data:
  title: {{ tpl $.Values.title $ | quote }}
  values: |
    {{- toYaml $.Values | nindent 4 }}
  lines: |
    {{- include "bench.lines" $ | nindent 4 }}
{{- end }}
`

// chartsBelow finds the charts of a folder, not those within charts.
func chartsBelow(root string) ([]renderedChart, error) {
	var out []renderedChart
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "Chart.yaml" {
			return err
		}
		folder := filepath.Dir(path)
		for _, known := range out {
			if strings.HasPrefix(folder, known.folder+string(filepath.Separator)) {
				return nil
			}
		}
		name, err := filepath.Rel(root, folder)
		out = append(out, renderedChart{name, folder})
		return err
	})
	return out, err
}
