package render_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// chart is a chart in memory; embed.FS and os.DirFS serve as well.
var chart = fstest.MapFS{
	"Chart.yaml":  {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
	"values.yaml": {Data: []byte("replicas: 1\nimage:\n  tag: \"1.0\"\n")},
	"templates/web.yaml": {Data: []byte(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: web
        image: web:{{ .Values.image.tag }}
`)},
}

func Example() {
	web, err := render.LoadFS(chart)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := render.MergeValues(render.FromYAML("prod.yaml", []byte("replicas: 2")), render.FromSet("image.tag=1.1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := web.Render(context.Background(), render.Input{Name: "shop", Namespace: "prod", Values: values})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := manifest.WriteYAML(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ---
	// # Source: web/templates/web.yaml
	// apiVersion: apps/v1
	// kind: Deployment
	// metadata:
	//   name: shop
	// spec:
	//   replicas: 2
	//   template:
	//     spec:
	//       containers:
	//       - name: web
	//         image: web:1.1
}

func ExampleChart_Origin() {
	web, err := render.LoadFS(chart)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := render.MergeValues(render.FromYAML("prod.yaml", []byte("replicas: 2")))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"replicas", "image.tag"} {
		origin, _ := web.Origin(values, path)
		fmt.Println(path, "is from", origin.Explain())
	}
	// Output:
	// replicas is from prod.yaml:1, over web/values.yaml:1
	// image.tag is from web/values.yaml:3
}

func ExampleError() {
	web, err := render.LoadFS(chart)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := render.MergeValues(render.FromSet("image=null"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = web.Render(context.Background(), render.Input{Name: "shop", Values: values})
	var at *render.Error
	if errors.As(err, &at) {
		fmt.Printf("%s:%d:%d needs %s\nlooked in %v\n", at.File, at.Line, at.Column, at.Path, at.Looked)
	}
	// Output:
	// web/templates/web.yaml:11:30 needs image.tag
	// looked in [--set image web/values.yaml]
}

func ExampleKustomize() {
	web, err := render.LoadFS(chart)
	if err != nil {
		fmt.Println(err)
		return
	}
	overlay := fstest.MapFS{"prod/kustomization.yaml": {Data: []byte("images:\n- {name: web, newName: registry.example.com/web}\nnamePrefix: prod-\n")}}
	manifest, err := web.Render(context.Background(), render.Input{Name: "shop", PostRender: []render.PostRenderer{render.Kustomize(overlay, "prod")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(manifest.Objects[0].ID())
	// Output: Deployment.apps prod-shop
}

// One budget for the program: tenants wait for memory in turns.
func ExampleBudget() {
	budget := render.NewBudget(1 << 30)

	web, err := render.LoadFS(chart)
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := web.Render(context.Background(), render.Input{
		Name: "shop", Limits: render.Limits{MemoryBytes: 64 << 20}, Share: budget.Share("team-a"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(manifest.Objects), "object")
	// Output: 1 object
}
