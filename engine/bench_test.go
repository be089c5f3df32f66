package engine_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// many returns an engine, and releases of n ConfigMaps of 2 KB, each in a
// namespace of its own.
func many(b *testing.B, n int) (*engine.Engine, func() engine.Release) {
	cluster := testcluster.Shared(b)
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	chart := loadChart(b, "1.0.0", manyConfigMaps(n))
	return eng, func() engine.Release {
		return engine.Release{Key: engine.Key{Namespace: cluster.Namespace(b), Name: "many"}, Source: chart}
	}
}

// which is the value of the one ConfigMap that changes.
func which(b *testing.B, value string) render.Values {
	values, err := render.MergeValues(render.FromMap("test", map[string]any{"which": value}))
	if err != nil {
		b.Fatal(err)
	}
	return values
}

// BenchmarkPlan plans with an engine that is used for all iterations.
func BenchmarkPlan(b *testing.B) {
	eng, release := many(b, 1000)
	r := release()
	if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
		b.Fatal(err)
	}
	for name, value := range map[string]string{"none changed": "first", "one changed": "second"} {
		r.Values = which(b, value)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := eng.Plan(b.Context(), r, engine.PlanOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDeploy upgrades one object with an engine that is used for all
// iterations.
func BenchmarkDeploy(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			eng, release := many(b, n)
			r := release()
			if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Values = which(b, fmt.Sprint(i))
				if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInstall installs with an engine that is used for all iterations.
func BenchmarkInstall(b *testing.B) {
	eng, release := many(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := release()
		b.StartTimer()
		if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
