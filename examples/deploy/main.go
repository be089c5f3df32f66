// Deploy deploys a web app to the cluster of the current kubeconfig context and
// waits until it is ready.
package main

import (
	"context"
	"fmt"
	"log"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

func main() {
	eng, err := engine.NewFromGetter(genericclioptions.NewConfigFlags(true), engine.Options{
		OnEvent: func(e engine.Event) { fmt.Println(e) },
	})
	if err != nil {
		log.Fatal(err)
	}
	values, err := render.MergeValues(render.FromSet("replicas=3"), render.FromSet("image.tag=1.29-alpine"))
	if err != nil {
		log.Fatal(err)
	}
	rev, err := eng.Deploy(context.Background(), engine.Release{
		Key:    engine.Key{Namespace: "default", Name: "shop"},
		Source: charts.WebApp(), Values: values, Cause: "first version",
	}, engine.ApplyOptions{})
	if err != nil {
		log.Fatal(err) // names the pod, the reason, and what to try
	}
	fmt.Print(rev.Notes)
}
