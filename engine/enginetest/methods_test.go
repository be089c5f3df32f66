package enginetest_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// Every method of an Engine works on the cluster.
func TestMethods(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	plan := func(p *engine.Plan, err error) error {
		if err == nil {
			err = p.Err()
		}
		return err
	}
	only := func(_ any, err error) error { return err }
	methods := map[string]func(*engine.Engine, engine.Release) error{
		"Plan": func(e *engine.Engine, r engine.Release) error { return plan(e.Plan(ctx, r, engine.PlanOptions{})) },
		"Apply": func(e *engine.Engine, r engine.Release) error {
			p, err := e.Plan(ctx, r, engine.PlanOptions{})
			if err != nil {
				return err
			}
			return only(e.Apply(ctx, p, engine.ApplyOptions{}))
		},
		"As": func(e *engine.Engine, r engine.Release) error {
			as, err := e.As(rest.ImpersonationConfig{UserName: "tenant"})
			if err != nil {
				return err
			}
			return plan(as.Plan(ctx, r, engine.PlanOptions{}))
		},
		"With": func(e *engine.Engine, r engine.Release) error {
			with, err := e.With(func(o *engine.Options) { o.ApplySet = true })
			if err != nil {
				return err
			}
			return plan(with.Plan(ctx, r, engine.PlanOptions{}))
		},
		"Compare": func(e *engine.Engine, r engine.Release) error { return only(e.Compare(ctx, r.Key, 1, 2)) },
		"Deploy":  func(e *engine.Engine, r engine.Release) error { return only(e.Deploy(ctx, r, engine.ApplyOptions{})) },
		"Drift":   func(e *engine.Engine, r engine.Release) error { return only(e.Drift(ctx, r.Key)) },
		"Format":  func(e *engine.Engine, _ engine.Release) error { _ = fmt.Sprint(e); return nil },
		"Get":     func(e *engine.Engine, r engine.Release) error { return only(e.Get(ctx, r.Key, 0)) },
		"History": func(e *engine.Engine, r engine.Release) error { return only(e.History(ctx, r.Key)) },
		"List":    func(e *engine.Engine, _ engine.Release) error { return only(e.List(ctx, engine.ListOptions{})) },
		"Live":    func(e *engine.Engine, r engine.Release) error { return only(e.Live(ctx, r.Key, web)) },
		"PlanCorrection": func(e *engine.Engine, r engine.Release) error {
			return plan(e.PlanCorrection(ctx, r.Key, engine.PlanOptions{}))
		},
		"PlanRollback": func(e *engine.Engine, r engine.Release) error {
			return plan(e.PlanRollback(ctx, r.Key, 1, engine.PlanOptions{}))
		},
		"PlanUninstall": func(e *engine.Engine, r engine.Release) error {
			return plan(e.PlanUninstall(ctx, r.Key, engine.PlanOptions{}))
		},
		"Reconcile": func(e *engine.Engine, r engine.Release) error {
			return only(e.Reconcile(ctx, r, engine.ReconcileOptions{}))
		},
		"Rollback": func(e *engine.Engine, r engine.Release) error {
			return only(e.Rollback(ctx, r.Key, 1, engine.ApplyOptions{}))
		},
		"Status":    func(e *engine.Engine, r engine.Release) error { return only(e.Status(ctx, r.Key)) },
		"Test":      func(e *engine.Engine, r engine.Release) error { return only(e.Test(ctx, r.Key, engine.TestOptions{})) },
		"Uninstall": func(e *engine.Engine, r engine.Release) error { return e.Uninstall(ctx, r.Key, engine.ApplyOptions{}) },
		"Rollout": func(e *engine.Engine, r engine.Release) error {
			return only(e.Rollout(ctx, r.Key, engine.Rollout{Verb: engine.Restart}, engine.ApplyOptions{}))
		},
		"PlanRollout": func(e *engine.Engine, r engine.Release) error {
			return plan(e.PlanRollout(ctx, r.Key, engine.Rollout{Verb: engine.Restart}, engine.PlanOptions{}))
		},
		"ReconcileRollback": func(e *engine.Engine, r engine.Release) error {
			return only(e.ReconcileRollback(ctx, r.Key, 1, engine.ReconcileOptions{}))
		},
		"ReconcileCorrection": func(e *engine.Engine, r engine.Release) error {
			return only(e.ReconcileCorrection(ctx, r.Key, engine.ReconcileOptions{}))
		},
		"ReconcileUninstall": func(e *engine.Engine, r engine.Release) error {
			return only(e.ReconcileUninstall(ctx, r.Key, engine.ReconcileOptions{}))
		},
		"CheckCluster": func(e *engine.Engine, r engine.Release) error {
			p, err := e.Plan(ctx, r, engine.PlanOptions{})
			if err != nil {
				return err
			}
			return e.CheckCluster(ctx, p)
		},
		"Watch": func(e *engine.Engine, r engine.Release) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for _, err := range e.Watch(ctx, engine.WatchOptions{}) {
				return err
			}
			return fmt.Errorf("the watch ended")
		},
	}
	for m := range reflect.TypeFor[*engine.Engine]().Methods() {
		call, ok := methods[m.Name]
		if !ok {
			t.Errorf("no test calls %s", m.Name)
			continue
		}
		_, eng := newEngine(t, engine.Options{})
		for _, set := range []string{"replicas=1", "replicas=2"} {
			if _, err := eng.Deploy(ctx, release(t, set), engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := call(eng, release(t, "replicas=3")); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
