package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// deployer is what the program under test needs of an Engine. It declares the
// interface itself, with the methods that it calls and no more.
type deployer interface {
	Plan(context.Context, engine.Release, engine.PlanOptions) (*engine.Plan, error)
	Apply(context.Context, *engine.Plan, engine.ApplyOptions) (*engine.Revision, error)
	Status(context.Context, engine.Key) (*engine.Status, error)
}

var _ deployer = (*engine.Engine)(nil)

// rollOut is the program under test.
func rollOut(ctx context.Context, d deployer, r engine.Release) error {
	plan, err := d.Plan(ctx, r, engine.PlanOptions{})
	if err != nil {
		return err
	}
	if err := plan.Err(); err != nil {
		return err
	}
	if !plan.Changed() {
		fmt.Println("nothing to do")
		return nil
	}
	rev, err := d.Apply(ctx, plan, engine.ApplyOptions{OnFailure: engine.RollBack})
	if err != nil {
		return err
	}
	status, err := d.Status(ctx, r.Key)
	if err != nil {
		return err
	}
	fmt.Printf("%s, ready: %t\n", rev, status.Ready)
	for _, o := range status.Objects {
		if o.Cause == engine.CauseImageRefused {
			fmt.Println("check the image of", o.Object)
		}
	}
	return nil
}

// fake is a deployer for tests. Plans, revisions, statuses and events are plain
// data, made by hand.
type fake struct {
	onEvent func(engine.Event)
	objects []engine.Diagnosis
}

var web = diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}

func (f *fake) Plan(_ context.Context, r engine.Release, _ engine.PlanOptions) (*engine.Plan, error) {
	return &engine.Plan{
		Kind: engine.PlanUpgrade, Key: r.Key, From: 1, To: 2, Cause: r.Cause,
		Report: diff.Report{Changes: []diff.Change{{Object: web, Action: diff.Updated, Fields: []diff.Field{
			{Path: "spec.replicas", Live: int64(2), Desired: int64(3), Cause: diff.Chart},
		}}}},
	}, nil
}

func (f *fake) Apply(_ context.Context, p *engine.Plan, _ engine.ApplyOptions) (*engine.Revision, error) {
	meta := engine.EventMeta{Key: p.Key, At: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}
	f.onEvent(engine.Started{EventMeta: meta, Operation: engine.OperationApply})
	f.onEvent(engine.Applied{EventMeta: meta, Object: web, Action: diff.Updated})
	f.onEvent(engine.Ended{EventMeta: meta, Operation: engine.OperationApply, Revision: p.To, Took: 3 * time.Second})
	return &engine.Revision{Key: p.Key, Revision: p.To, Status: engine.StatusDeployed, Cause: p.Cause}, nil
}

func (f *fake) Status(_ context.Context, k engine.Key) (*engine.Status, error) {
	return &engine.Status{
		Revision: engine.Revision{Key: k, Revision: 2, Status: engine.StatusDeployed},
		Ready:    len(f.objects) == 0,
		Objects:  f.objects,
	}, nil
}

// Test a program that deploys without a cluster: the program declares the
// interface that it needs, and its tests pass a fake. Everything that the
// engine returns can be made by hand.
func Example_fake() {
	d := &fake{
		onEvent: func(e engine.Event) { fmt.Println(e) },
		objects: []engine.Diagnosis{{Object: web, State: engine.StateProgressing, Cause: engine.CauseImageRefused, Desired: 3}},
	}
	err := rollOut(context.Background(), d, engine.Release{
		Key: engine.Key{Namespace: "shop", Name: "web"}, Source: charts.WebApp(), Cause: "more replicas",
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// apply shop/web
	// Updated Deployment shop/web
	// apply shop/web ended after 3s
	// shop/web revision 2 is deployed: more replicas, ready: false
	// check the image of Deployment shop/web
}

// Pass the events of one process on to another, one JSON object a line.
func ExampleMarshalEvent() {
	sent := engine.Ready{
		EventMeta: engine.EventMeta{Key: engine.Key{Namespace: "shop", Name: "web"}, At: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)},
		Object:    web, State: engine.StateReady, Ready: 3, Desired: 3,
	}
	line, err := engine.MarshalEvent(sent)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(line))

	received, err := engine.UnmarshalEvent(line)
	if err != nil {
		fmt.Println(err)
		return
	}
	if e, ok := received.(engine.Ready); ok {
		fmt.Println(e.Object.Name, e.Ready == e.Desired)
	}
	// Output:
	// {"type":"Ready","release":{"namespace":"shop","name":"web"},"time":"2026-01-02T15:04:05Z","object":{"group":"apps","version":"v1","kind":"Deployment","namespace":"shop","name":"web"},"state":"Ready","ready":3,"desired":3}
	// web true
}
