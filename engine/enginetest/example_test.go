package enginetest_test

import (
	"context"
	"fmt"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/enginetest"
)

// Test what a controller does while a release is not ready.
func Example() {
	ctx := context.Background()
	c := enginetest.New("shop")
	eng, err := c.Engine(engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	web := diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	release := engine.Release{Key: engine.Key{Namespace: "shop", Name: "web"}, Source: charts.WebApp()}

	c.Hold(web)
	p, err := eng.Reconcile(ctx, release, engine.ReconcileOptions{})
	fmt.Println(p.Phase, p.Waiting[0].Object, err)
	c.Release(web)
	p, err = eng.Reconcile(ctx, release, engine.ReconcileOptions{})
	fmt.Println(p.Phase, len(p.Waiting), err)
	// Output:
	// Progressing Deployment shop/web <nil>
	// Deployed 0 <nil>
}
