package diff

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// gen generates objects of a few shapes whose parts repeat often enough that
// three of them have much in common.
type gen struct{ *rand.Rand }

func (g gen) pick(s ...any) any { return s[g.IntN(len(s))] }

func (g gen) maybe(m map[string]any, k string, v func() any) {
	if g.IntN(3) > 0 {
		m[k] = v()
	}
}

func (g gen) labels() any {
	m := map[string]any{}
	for _, k := range []string{"app", "tier", "example.com/team", `odd"key`} {
		g.maybe(m, k, func() any { return g.pick("a", "b", "") })
	}
	return m
}

func (g gen) container(name string) any {
	m := map[string]any{"name": name}
	g.maybe(m, "image", func() any { return g.pick("web:1", "web:2") })
	g.maybe(m, "args", func() any { return g.pick([]any{}, []any{"a"}, []any{"a", "b"}, []any{"b", "a"}) })
	g.maybe(m, "ports", func() any {
		l := []any{}
		for _, n := range g.Perm(3)[:g.IntN(4)] {
			p := map[string]any{"containerPort": int64(8080 + n)}
			g.maybe(p, "protocol", func() any { return "TCP" })
			g.maybe(p, "name", func() any { return g.pick("http", "grpc") })
			l = append(l, p)
		}
		return l
	})
	g.maybe(m, "env", func() any {
		l := []any{}
		for _, n := range g.Perm(4)[:g.IntN(5)] {
			l = append(l, map[string]any{"name": fmt.Sprint("E", n), "value": g.pick("x", "y")})
		}
		if g.IntN(20) == 0 { // a duplicate name: the list is atomic
			l = append(l, map[string]any{"name": "E0"}, map[string]any{"name": "E0"})
		}
		return l
	})
	g.maybe(m, "resources", func() any {
		r := map[string]any{}
		g.maybe(r, "limits", func() any {
			return map[string]any{"cpu": g.pick("1", "1000m", int64(1), 1.0, "2"), "memory": g.pick("1Gi", "1024Mi")}
		})
		return r
	})
	g.maybe(m, "envFrom", func() any {
		l := []any{}
		for range g.IntN(3) {
			l = append(l, map[string]any{"prefix": g.pick("p", "q"), "configMapRef": map[string]any{"name": g.pick("c", "d")}})
		}
		return l
	})
	return m
}

func (g gen) object() *unstructured.Unstructured {
	meta := map[string]any{"name": "web", "namespace": "shop"}
	g.maybe(meta, "labels", g.labels)
	g.maybe(meta, "annotations", g.labels)
	g.maybe(meta, "finalizers", func() any { return g.pick([]any{"a"}, []any{"b", "a"}, []any{"a", "b"}) })
	spec := map[string]any{}
	g.maybe(spec, "replicas", func() any { return g.pick(int64(1), 2.0, int64(3), nil) })
	g.maybe(spec, "strategy", func() any {
		return g.pick(map[string]any{"type": "Recreate"}, map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": int64(1)}}, map[string]any{})
	})
	pod := map[string]any{}
	containers := []any{}
	for _, n := range g.Perm(3)[:1+g.IntN(3)] {
		containers = append(containers, g.container(string(rune('a'+n))))
	}
	pod["containers"] = containers
	g.maybe(pod, "nodeSelector", g.labels)
	g.maybe(pod, "odd", func() any { return g.pick("scalar", []any{"list"}, map[string]any{"a": "map"}) })
	tmeta := map[string]any{}
	g.maybe(tmeta, "labels", g.labels)
	spec["template"] = map[string]any{"metadata": tmeta, "spec": pod}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec,
		"status": map[string]any{"replicas": int64(g.IntN(9))},
	}}
}

func TestProperties(t *testing.T) {
	n := uint64(4000)
	if testing.Short() {
		n = 500
	}
	for seed := range n {
		checkProperties(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkProperties(t, seed) })
}

func checkProperties(t *testing.T, seed uint64) {
	t.Helper()
	g := gen{rand.New(rand.NewPCG(seed, 7))}
	in := Input{Manager: "fairlead"}
	for _, u := range []**unstructured.Unstructured{&in.Base, &in.Live, &in.Desired, &in.Merged} {
		if g.IntN(8) > 0 {
			*u = g.object()
		}
	}
	if in.Base == nil && in.Live == nil && in.Desired == nil {
		return
	}
	if in.Live != nil {
		in.Live.Object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{
			"manager": "other", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
			"fieldsV1": g.pick(
				map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}},
				map[string]any{"f:spec": map[string]any{"f:template": map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{
					`k:{"name":"a"}`: map[string]any{"f:image": map[string]any{}}}}}}},
				map[string]any{"f:metadata": map[string]any{"f:labels": map[string]any{"f:app": map[string]any{}}}}),
		}}
	}
	copies := Input{Base: in.Base.DeepCopy(), Live: in.Live.DeepCopy(), Desired: in.Desired.DeepCopy(), Merged: in.Merged.DeepCopy(), Manager: in.Manager}
	ch, err := Compare(in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Compare(in, Options{})
	if err != nil || !reflect.DeepEqual(ch, again) {
		t.Errorf("not deterministic: %v\n%v\n%v", err, ch, again)
	}
	if !reflect.DeepEqual(in, copies) {
		t.Error("the input was changed")
	}
	var rep Report
	rep.Changes = append(rep.Changes, ch)
	roundTrip(t, rep)
	text(t, rep, TextOptions{Verbose: seed%2 == 0, Width: 40 + int(seed%80)})

	// One cause per field: no path twice, and none below another one except what
	// the server filled into an added value, which is not in that value.
	for i, f := range ch.Fields {
		p, err := parsePath(f.Path)
		if err != nil || p.String() != f.Path {
			t.Errorf("path %s reads as %s: %v", f.Path, p, err)
		}
		for _, e := range ch.Fields[:i] {
			if e.Path == f.Path && e.Reordered == f.Reordered {
				t.Errorf("%s twice: %s and %s", f.Path, e.Cause, f.Cause)
			}
			q, _ := parsePath(e.Path)
			if !e.Reordered && len(q) < len(p) && reflect.DeepEqual(q, p[:len(q)]) {
				v := e.Desired
				for _, s := range p[len(q):] {
					v = s.down(v)
				}
				if f.Cause != Default || v != nil {
					t.Errorf("%s (%s) is below %s (%s)", f.Path, f.Cause, e.Path, e.Cause)
				}
			}
		}
	}

	// Applying the changes returns what was merged.
	if in.Desired != nil {
		c := &comparer{obj: ch.Object, schema: Builtin(), native: true}
		c.owners, _ = ownersOf(in.Live, in.Manager, nil)
		b, _ := c.state(in.Base)
		l, _ := c.state(in.Live)
		d, _ := c.state(in.Desired)
		var want any
		if in.Merged != nil {
			m, _ := c.state(in.Merged)
			want = m
		} else {
			want = c.merge(orNil(b), orNil(l), orNil(d))
		}
		got, err := ch.ApplyTo(in.Live)
		if err != nil {
			t.Fatal(err)
		}
		gotState, err := c.state(got)
		if err != nil {
			t.Fatal(err)
		}
		wm, _ := want.(map[string]any)
		if x, y := c.canonical(gotState), c.canonical(wm); !c.equal(x, y) {
			t.Errorf("applied:\n%v\nwant:\n%v\nfields:\n%v", x, y, ch.Fields)
		}
		// The merged object needs no more changes.
		if in.Merged == nil && in.Base != nil && in.Live != nil {
			merged := &unstructured.Unstructured{Object: wm}
			merged.SetAPIVersion("apps/v1")
			merged.SetKind("Deployment")
			merged.SetName("web")
			merged.SetNamespace("shop")
			next, err := Compare(Input{Base: in.Desired, Live: merged, Desired: in.Desired}, Options{})
			if err != nil || len(next.Fields) > 0 {
				t.Errorf("not a fixed point: %v %v", err, next.Fields)
			}
		}
	}

	for _, x := range []*unstructured.Unstructured{in.Base, in.Live, in.Desired} {
		if x == nil {
			continue
		}
		for _, m := range []*unstructured.Unstructured{nil, x} {
			same, err := Compare(Input{Base: x, Live: x, Desired: x, Merged: m, Manager: "fairlead"}, Options{})
			if err != nil || same.Action != Unchanged || len(same.Fields) > 0 {
				t.Errorf("Compare(x,x,x): %v %v %v", same.Action, same.Fields, err)
			}
		}
	}
}

// canonical returns a copy of v with lists merged by key, and sets, sorted.
func (c *comparer) canonical(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			c.enter(step{kind: stepField, name: k})
			out[k] = c.canonical(e)
			c.leave()
		}
		return out
	case []any:
		out := slices.Clone(v)
		n := c.node()
		if items, ok := c.index(n, v); len(n.Keys) > 0 && ok {
			ids := slices.Clone(items.order)
			sort.Strings(ids)
			for i, id := range ids {
				out[i] = items.byID[id].value
			}
		}
		if n.Set {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		for i, e := range out {
			c.enter(step{kind: stepIndex, index: i})
			out[i] = c.canonical(e)
			c.leave()
		}
		return out
	}
	return v
}
