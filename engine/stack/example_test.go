package stack_test

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// A database, and a web shop that gets its address.
func Example() {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	service := diff.Object{Version: "v1", Kind: "Service", Name: "database"}
	shop, err := stack.New("shop", eng,
		stack.Member{Release: engine.Release{Key: engine.Key{Namespace: "shop", Name: "web"}, Source: charts.WebApp()}, Inputs: stack.Inputs{
			"env.DATABASE": stack.Field("database", service, "spec.clusterIP"),
		}},
		stack.Member{Release: engine.Release{Key: engine.Key{Namespace: "shop", Name: "database"}, Source: charts.Database()}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shop.Members())
	plan, err := shop.Plan(context.Background(), stack.PlanOptions{})
	if errors.Is(err, engine.ErrUnreachable) {
		fmt.Println("API server unreachable")
		return
	}
	fmt.Println(plan.Summary())
	// Output:
	// [database web]
	// API server unreachable
}
