package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
)

// Hold a release as wanted. A controller has a queue in place of the timer, and
// holds many with one worker.
func ExampleEngine_Reconcile() {
	hold := func(ctx context.Context, eng *engine.Engine, r engine.Release) error {
		for {
			p, err := eng.Reconcile(ctx, r, engine.ReconcileOptions{OnFailure: engine.RollBack})
			if err != nil {
				return err
			}
			fmt.Println(p.Phase, p.Revision, p.Err)
			select {
			case <-time.After(max(p.After, time.Second)):
			case <-ctx.Done():
				return ctx.Err() // the revision stays as it is, for the next process
			}
		}
	}
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	release := engine.Release{Key: engine.Key{Namespace: "shop", Name: "web"}, Source: charts.WebApp()}
	if err := hold(context.Background(), eng, release); errors.Is(err, engine.ErrUnreachable) {
		fmt.Println("API server unreachable")
	}
	// Output: API server unreachable
}

// A controller takes a pass over each release that is touched.
func ExampleEngine_Watch() {
	follow := func(ctx context.Context, eng *engine.Engine, desired map[engine.Key]engine.Release) error {
		for t, err := range eng.Watch(ctx, engine.WatchOptions{}) {
			if err != nil {
				return err
			}
			if _, err := eng.Reconcile(ctx, desired[t.Key], engine.ReconcileOptions{}); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{Storage: engine.Storage{Memory: engine.NewMemoryStorage()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := follow(context.Background(), eng, nil); errors.Is(err, engine.ErrInvalidOptions) {
		fmt.Println("nothing to watch: revisions are kept in memory")
	}
	// Output: nothing to watch: revisions are kept in memory
}
