package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
	"github.com/fairlead-dev/fairlead/render/sandbox"
)

// main of the program begins with sandbox.Main; here, TestMain does.
func Example() {
	pool, err := sandbox.New(sandbox.Options{BestEffort: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	ctx := context.Background()
	web, err := pool.LoadFS(ctx, fstest.MapFS{
		"Chart.yaml":         {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"templates/web.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := web.Render(ctx, render.Input{Name: "shop"})
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
	// apiVersion: v1
	// kind: ConfigMap
	// metadata: {name: shop}
}
