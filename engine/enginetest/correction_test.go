package enginetest_test

import (
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// A correction that is not ready at once is gone on with by the next pass.
func TestCorrectionGoesOn(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	if _, err := eng.Deploy(ctx, release(t, "replicas=2"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	scale(t, c, 5)
	c.Hold(web)
	for range 3 {
		p, err := eng.ReconcileCorrection(ctx, shop, engine.ReconcileOptions{})
		if err != nil || p.Phase != engine.PhaseProgressing {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	c.Release(web)
	p, err := eng.ReconcileCorrection(ctx, shop, engine.ReconcileOptions{})
	if err != nil || p.Phase != engine.PhaseDeployed {
		t.Fatalf("%+v, %v", p, err)
	}
	history, err := eng.History(ctx, shop)
	if err != nil || len(history) != 2 || history[1].Status != engine.StatusDeployed {
		t.Errorf("%v, %v", history, err)
	}
	// And Reconcile finds nothing to do.
	if p, err = eng.Reconcile(ctx, release(t, "replicas=2"), engine.ReconcileOptions{}); err != nil || p.Phase != engine.PhaseDeployed || p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
}
