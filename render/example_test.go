package render_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// A chart is loaded once, and rendered with values in layers: later layers
// win, and each value knows where it came from.
func ExampleChart_Render() {
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":  {Data: []byte("apiVersion: v2\nname: web\nversion: 1.2.0\n")},
		"values.yaml": {Data: []byte("colour: green\nsize: 1\n")},
		"templates/config.yaml": {Data: []byte(`apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
data:
  colour: {{ .Values.colour | quote }}
  size: {{ .Values.size | quote }}
`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := render.MergeValues(
		render.FromYAML("team.yaml", []byte("colour: red\n")),
		render.FromSet("size=3"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := chart.Render(context.Background(), render.Input{Name: "shop", Namespace: "default", Values: values})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := manifest.WriteYAML(os.Stdout); err != nil {
		fmt.Println(err)
	}
	origin, _ := values.Origin("colour")
	fmt.Println("colour is from", origin)
	// Output:
	// ---
	// # Source: web/templates/config.yaml
	// apiVersion: v1
	// kind: ConfigMap
	// metadata:
	//   name: shop-web
	// data:
	//   colour: "red"
	//   size: "3"
	// colour is from team.yaml:1
}

// What is wrong in a template is said with its place.
func ExampleChart_Render_error() {
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":            {Data: []byte("apiVersion: v2\nname: web\nversion: 1.2.0\n")},
		"templates/config.yaml": {Data: []byte("kind: ConfigMap\ndata: {{ required \"set the colour\" .Values.colour }}\n")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = chart.Render(context.Background(), render.Input{Name: "shop", Namespace: "default"})
	fmt.Println(err)
	// Output:
	// render: execution error at (web/templates/config.yaml:2:9): set the colour - correct the template, or the values that it reads
}
