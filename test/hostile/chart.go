//go:build linux

package hostile

import (
	"context"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// RenderChart loads the files as a chart and renders it. A Chart.yaml is added
// where there is none.
func RenderChart(ctx context.Context, files map[string]string) error {
	return RenderChartAs(ctx, render.Helm3, files)
}

// RenderChartAs is RenderChart by the rules of a version of Helm.
func RenderChartAs(ctx context.Context, as render.HelmVersion, files map[string]string) error {
	fsys := mapFS(files)
	if _, ok := files["Chart.yaml"]; !ok {
		fsys["Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}
	}
	chart, err := render.LoadFS(fsys)
	if err != nil {
		return err
	}
	_, err = chart.Render(ctx, render.Input{Name: "demo", Helm: as})
	return err
}

// RenderValues renders a chart with the values.
func RenderValues(ctx context.Context, values render.Values) error {
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"templates/x.yaml": {Data: []byte("{{ len .Values }}")},
	})
	if err != nil {
		return err
	}
	_, err = chart.Render(ctx, render.Input{Name: "demo", Values: values})
	return err
}

// Template is the case of a chart whose only template is text, which may call the
// functions of Helm 4 too.
func Template(name, text string) Case {
	return Case{Name: name, template: true, Run: func(ctx context.Context) error {
		return RenderChartAs(ctx, render.Helm4, map[string]string{"templates/x.yaml": text})
	}}
}

func mapFS(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}
