package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// Deploy a chart, and handle each kind of error.
func ExampleEngine_Deploy() {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = eng.Deploy(context.Background(), engine.Release{
		Key:    engine.Key{Namespace: "shop", Name: "web"},
		Source: charts.WebApp(),
		Cause:  "first version",
	}, engine.ApplyOptions{})

	var problems *engine.ProblemsError
	var notReady *engine.NotReadyError
	switch {
	case err == nil:
		fmt.Println("it is ready")
	case errors.As(err, &problems):
		fmt.Println("nothing was written:", problems.Problems[0].Message)
	case errors.As(err, &notReady):
		fmt.Println("written, but not ready:", notReady.Objects[0].Cause)
	case errors.Is(err, engine.ErrUnreachable):
		fmt.Println("API server unreachable")
	}
	// Output: API server unreachable
}

// Show a plan, and apply it.
func ExampleEngine_Plan() {
	review := func(ctx context.Context, eng *engine.Engine, r engine.Release) error {
		plan, err := eng.Plan(ctx, r, engine.PlanOptions{})
		if err != nil {
			return err
		}
		if !plan.Changed() {
			return nil
		}
		if err := plan.Report.WriteText(os.Stdout, diff.TextOptions{Color: true}); err != nil {
			return err
		}
		_, err = eng.Apply(ctx, plan, engine.ApplyOptions{})
		return err
	}
	_ = review
}

// A release name that Kubernetes would refuse is an error before any request.
func ExampleKey() {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = eng.Plan(context.Background(), engine.Release{
		Key:    engine.Key{Namespace: "shop", Name: "My_Shop"},
		Source: charts.WebApp(),
		Values: render.Values{},
	}, engine.PlanOptions{})
	fmt.Println(err)
	// Output: check release shop/My_Shop: invalid release key: name "My_Shop" (a release name has at most 53 characters: lower-case letters, digits, '-' and '.', with a letter or digit at both ends)
}

// Decide when objects of your own kinds are ready, in CEL or in Go.
func ExampleReadyRule() {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{Rules: []engine.ReadyRule{{
		Group: "db.example.com", Kind: "Cluster",
		Ready:   `object.status.phase == "Running" && object.status.nodes >= object.spec.nodes`,
		Failed:  `object.status.phase == "Broken"`,
		Message: `"phase " + object.status.phase`,
	}, {
		Group: "example.com", Kind: "Report",
		Judge: func(obj *unstructured.Unstructured) (engine.Verdict, error) {
			if obj.GetAnnotations()["example.com/written"] == "" {
				return engine.Verdict{State: engine.StateProgressing, Reason: "NotWritten"}, nil
			}
			return engine.Verdict{State: engine.StateReady}, nil
		},
	}}})
	fmt.Println(eng != nil, err)

	_, err = engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{Rules: []engine.ReadyRule{{Kind: "Report"}}})
	fmt.Println(err)
	// Output:
	// true <nil>
	// new engine: invalid options: Options.Rules[0] for kind "Report": set either Ready or Judge
}
