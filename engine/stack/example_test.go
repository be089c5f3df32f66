package stack_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// A plan is stored, signed by its reviewer, and applied where nothing but signed plans
// is.
func ExamplePlan_Sign() {
	public, reviewer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{
		PlanSigners: []crypto.PublicKey{public},
		PlanKey:     make([]byte, 32), // random, the same where plans are made
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	shop, err := stack.New("shop", eng)
	if err != nil {
		fmt.Println(err)
		return
	}
	stored := []byte(`{"schema":"fairlead.dev/stack-plan/v1","kind":"Deploy","stack":"shop","members":[]}`)
	var plan stack.Plan
	if err := json.Unmarshal(stored, &plan); err != nil {
		fmt.Println(err)
		return
	}
	_, err = shop.Apply(context.Background(), &plan, stack.ApplyOptions{})
	fmt.Println("not signed:", errors.Is(err, engine.ErrPlanSignature))
	if err := plan.Sign(reviewer, engine.SignOptions{By: "release managers", ValidFor: time.Hour}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = shop.Apply(context.Background(), &plan, stack.ApplyOptions{})
	fmt.Println("signed:", err)
	plan.Kind = stack.PlanUninstall
	_, err = shop.Apply(context.Background(), &plan, stack.ApplyOptions{})
	fmt.Println("edited:", errors.Is(err, engine.ErrPlanSignature))
	// Output:
	// not signed: true
	// signed: <nil>
	// edited: true
}
