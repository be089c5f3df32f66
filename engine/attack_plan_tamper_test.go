package engine_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// Plans that are edited at random are refused, or say all that is done.
// FAIRLEAD_TAMPER is for how long, such as 10m.
func TestAttackTamperedPlans(t *testing.T) {
	f := newFixture(t)
	duration, err := time.ParseDuration(os.Getenv("FAIRLEAD_TAMPER"))
	if err != nil {
		duration = 0
	}
	neighbour := f.neighbourOf()
	plans := f.attackPlans()
	kinds := slices.Sorted(maps.Keys(plans))
	e, attempts := f.platform(engine.Options{})
	accepted := 0
	start := time.Now()
	seed := uint64(0)
	for ; seed < 60 || time.Since(start) < duration; seed++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		f.ctx = ctx
		r := rand.New(rand.NewPCG(seed, 2))
		plan := plans[kinds[r.IntN(len(kinds))]]
		edited := engine.TamperPlan(plan.stored, r)
		f.requests.Reset()
		err := f.applyText(e, edited, plan.opts)
		cancel()
		f.ctx = t.Context()
		tried := attempts()
		if len(tried) == 0 {
			f.wantHarmless(edited, err, nil, neighbour)
			continue
		}
		accepted++
		if err := engine.SaysNoLess(edited, plan.stored); err != nil {
			t.Fatalf("seed %d: accepted, although %v", seed, err)
		}
	}
	t.Logf("%d edited plans, of which %d said no less and were accepted", seed, accepted)
}
