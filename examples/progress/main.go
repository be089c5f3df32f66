// Progress deploys a shop to a test cluster and shows its progress; some of its
// pods are slow or crash at first.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/progress"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

//go:embed shop.yaml
var shop embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if _, err := testcluster.Build(ctx, os.Stderr); err != nil {
		return err
	}
	cluster, err := testcluster.Start(ctx, testcluster.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()

	view := progress.New(os.Stdout, progress.Options{})
	defer view.Close()
	eng, err := engine.New(cluster.Config(), engine.Options{OnEvent: view.OnEvent})
	if err != nil {
		return err
	}
	source, err := render.LoadManifests(shop)
	if err != nil {
		return err
	}
	_, err = eng.Deploy(ctx, engine.Release{
		Key: engine.Key{Namespace: "shop", Name: "shop"}, Source: source, CreateNamespace: true,
	}, engine.ApplyOptions{})
	return err
}
