package engine_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// BenchmarkPlan plans a release of 1000 ConfigMaps of 2 KB, with an engine
// that is kept.
func BenchmarkPlan(b *testing.B) {
	cluster := testcluster.Shared(b)
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := engine.Release{
		Key:    engine.Key{Namespace: cluster.Namespace(b), Name: "many"},
		Source: loadChart(b, "1.0.0", manyConfigMaps(1000)),
	}
	if r.Values, err = render.MergeValues(render.FromMap("test", map[string]any{"which": "first"})); err != nil {
		b.Fatal(err)
	}
	if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
		b.Fatal(err)
	}
	for name, which := range map[string]string{"none changed": "first", "one changed": "second"} {
		if r.Values, err = render.MergeValues(render.FromMap("test", map[string]any{"which": which})); err != nil {
			b.Fatal(err)
		}
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

// BenchmarkDeploy upgrades a release of 1000 ConfigMaps of 2 KB, of which one
// changes, with an engine that is kept.
func BenchmarkDeploy(b *testing.B) {
	cluster := testcluster.Shared(b)
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := engine.Release{
		Key:    engine.Key{Namespace: cluster.Namespace(b), Name: "many"},
		Source: loadChart(b, "1.0.0", manyConfigMaps(1000)),
	}
	for i := 0; b.Loop(); i++ {
		if r.Values, err = render.MergeValues(render.FromMap("test", map[string]any{"which": fmt.Sprint(i)})); err != nil {
			b.Fatal(err)
		}
		if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			b.ReportAllocs()
			b.ResetTimer()
		}
	}
}

// BenchmarkInstall installs a release of 1000 ConfigMaps of 2 KB.
func BenchmarkInstall(b *testing.B) {
	cluster := testcluster.Shared(b)
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	chart := loadChart(b, "1.0.0", manyConfigMaps(1000))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := engine.Release{Key: engine.Key{Namespace: cluster.Namespace(b), Name: "many"}, Source: chart}
		b.StartTimer()
		if _, err := eng.Deploy(b.Context(), r, engine.ApplyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
