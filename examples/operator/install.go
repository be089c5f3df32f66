package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io/fs"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

//go:embed all:chart
var files embed.FS

// install deploys the operator's own chart.
func install(ctx context.Context, args []string) error {
	key := engine.Key{Name: "fairlead-operator"}
	flags := flag.NewFlagSet("operator install", flag.ContinueOnError)
	flags.StringVar(&key.Namespace, "namespace", "fairlead-system", "namespace of the operator")
	var set []render.Layer
	flags.Func("set", "value of the chart, as for helm --set", func(text string) error {
		set = append(set, render.FromSet(text))
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	revision, err := deploy(ctx, config, key, set...)
	if err == nil {
		fmt.Println(revision)
	}
	return err
}

// deploy deploys the operator's own chart by the engine.
func deploy(ctx context.Context, config *rest.Config, key engine.Key, set ...render.Layer) (*engine.Revision, error) {
	source, err := fs.Sub(files, "chart")
	if err != nil {
		return nil, err
	}
	chart, err := render.LoadFS(source)
	if err != nil {
		return nil, err
	}
	values, err := render.MergeValues(set...)
	if err != nil {
		return nil, err
	}
	eng, err := engine.New(config, engine.Options{})
	if err != nil {
		return nil, err
	}
	return eng.Deploy(ctx, engine.Release{Key: key, Source: chart, Values: values, CreateNamespace: true}, engine.ApplyOptions{})
}
