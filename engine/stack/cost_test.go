package stack_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// manyMembers are releases of five objects, each needing the one before but for
// every fifth.
func manyMembers(t testing.TB, namespace string, n int, version string) []stack.Member {
	templates := map[string]string{"service.yaml": service}
	for i := range 4 {
		templates[fmt.Sprintf("config-%d.yaml", i)] = configMap(fmt.Sprintf("{{ .Release.Name }}-%d", i), "  version: {{ .Values.version | quote }}\n")
	}
	c := chart(t, "many", templates)
	var out []stack.Member
	for i := range n {
		m := stack.Member{Release: engine.Release{
			Key: engine.Key{Namespace: namespace, Name: fmt.Sprintf("m%02d", i)}, Source: c, Values: values(t, "version="+version),
		}}
		if i%5 > 0 {
			m.Needs = []string{fmt.Sprintf("m%02d", i-1)}
		}
		out = append(out, m)
	}
	return out
}

// What a stack costs in requests grows with its releases, and not faster; one that
// does not change costs reads alone.
func TestRequestsGrowLinearly(t *testing.T) {
	f := newFixture(t)
	var err error
	if f.engine, err = engine.New(f.config, engine.Options{LeaseDuration: 2 * time.Minute}); err != nil { // no renewals to count
		t.Fatal(err)
	}
	count := func(do func()) int {
		f.requests.Reset()
		do()
		return len(f.requests.Requests())
	}
	type cost struct{ install, plan, again int }
	costs := map[int]cost{}
	for _, n := range []int{4, 8, 12} {
		g := *f
		g.namespace = f.cluster.Namespace(t)
		s := g.stack(manyMembers(t, g.namespace, n, "1")...)
		g.plan(s) // what is read once per engine
		var c cost
		plan := g.plan(s)
		c.install = count(func() { g.apply(s, plan) })
		var again *stack.Plan
		c.plan = count(func() { again = g.plan(s) })
		c.again = count(func() { g.apply(s, again) })
		for _, r := range f.requests.Requests() {
			if r.Write() && !r.DryRun() {
				t.Errorf("without changes it writes %s", r)
			}
		}
		costs[n] = c
	}
	wantLinear(t, costs, map[string]func(cost) int{
		"install": func(c cost) int { return c.install }, "plan": func(c cost) int { return c.plan }, "apply without changes": func(c cost) int { return c.again },
	})
}

// wantLinear checks what was counted for 4, 8 and 12 members: each four more cost the
// same.
func wantLinear[C any](t *testing.T, costs map[int]C, counts map[string]func(C) int) {
	t.Helper()
	t.Logf("requests of 4, 8 and 12 members: %+v", costs)
	for what, of := range counts {
		first, second := of(costs[8])-of(costs[4]), of(costs[12])-of(costs[8])
		if second > first+first/4+4 {
			t.Errorf("%s: 4 members more cost %d requests, and 4 more %d", what, first, second)
		}
	}
}

// Status and Drift read what a member was given once for all that need it: along a
// chain of inputs they cost the same for each further member, and so does History.
func TestReadingChainsGrowsLinearly(t *testing.T) {
	f := newFixture(t)
	type cost struct{ status, drift, history int }
	costs := map[int]cost{}
	for _, n := range []int{4, 8, 12} {
		g := *f
		g.namespace = f.cluster.Namespace(t)
		var members []stack.Member
		for i := range n {
			name := fmt.Sprintf("m%02d", i)
			m := g.member(name, map[string]string{"a.yaml": configMap(name, "  a: {{ .Values.a }}\n"), "NOTES.txt": "It is {{ .Values.a }}"}, "a=b")
			if i > 0 {
				before := fmt.Sprintf("m%02d", i-1)
				m.Inputs = stack.Inputs{"a": stack.Field(before, diff.Object{Version: "v1", Kind: "ConfigMap", Name: before}, "data.a")}
			}
			members = append(members, m)
		}
		s := g.stack(members...)
		g.apply(s, g.plan(s))
		for _, m := range members {
			patch := []byte(`{"data":{"more":"by hand","a":"c"}}`)
			if _, err := f.client.CoreV1().ConfigMaps(g.namespace).Patch(f.ctx, m.Release.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		count := func(read func() error) int {
			f.requests.Reset()
			if err := read(); err != nil {
				t.Error(err)
			}
			return len(f.requests.Requests())
		}
		costs[n] = cost{
			status: count(func() error { _, err := s.Status(f.ctx); return err }),
			drift: count(func() error {
				drift, err := s.Drift(f.ctx)
				if err == nil && !drift.Drifted() {
					err = errors.New("nothing has drifted")
				}
				return err
			}),
			history: count(func() error { _, err := s.History(f.ctx); return err }),
		}
	}
	wantLinear(t, costs, map[string]func(cost) int{
		"status": func(c cost) int { return c.status }, "drift": func(c cost) int { return c.drift }, "history": func(c cost) int { return c.history },
	})
}

// BenchmarkStack plans and applies a stack of 50 releases of 5 objects, which
// changes or does not.
func BenchmarkStack(b *testing.B) {
	cluster := testcluster.Shared(b)
	cfg, requests := testcluster.Record(cluster.Config())
	namespace := cluster.Namespace(b)
	version := 0
	s := func() *stack.Stack {
		s, err := stack.New(namespace, newEngine(b, cfg), manyMembers(b, namespace, 50, fmt.Sprint(version))...)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	run := func(b *testing.B, s *stack.Stack) {
		ctx := context.Background()
		plan, err := s.Plan(ctx, stack.PlanOptions{})
		if err == nil {
			_, err = s.Apply(ctx, plan, stack.ApplyOptions{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		changes bool
	}{{"install", true}, {"unchanged", false}, {"upgrade", true}} {
		b.Run(c.name, func(b *testing.B) {
			var before, after runtime.MemStats
			total := 0
			for b.Loop() {
				b.StopTimer()
				if c.changes {
					version++
				}
				stack := s()
				requests.Reset()
				runtime.GC()
				runtime.ReadMemStats(&before)
				b.StartTimer()
				run(b, stack)
				b.StopTimer()
				total += len(requests.Requests())
				b.StartTimer()
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(total)/float64(b.N), "requests/op")
			b.ReportMetric(float64(after.HeapSys)/(1<<20), "MiB-heap")
		})
	}
}
