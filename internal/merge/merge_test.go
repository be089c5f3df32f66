package merge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// document is the schema of a Thing: parts is merged by id, whole is atomic.
const document = `{"components":{"schemas":{"com.example.Thing":{
	"type":"object",
	"x-kubernetes-group-version-kind":[{"group":"example.com","version":"v1","kind":"Thing"}],
	"properties":{
		"apiVersion":{"type":"string"},"kind":{"type":"string"},
		"metadata":{"type":"object","properties":{"name":{"type":"string"},"namespace":{"type":"string"},"resourceVersion":{"type":"string"},
			"labels":{"type":"object","additionalProperties":{"type":"string"}}}},
		"spec":{"type":"object","properties":{
			"size":{"type":"integer"},
			"parts":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["id"],
				"items":{"type":"object","properties":{"id":{"type":"string"},"num":{"type":"integer"}}}},
			"whole":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object","properties":{"a":{"type":"string"},"d":{"type":"string"}}}}
		}}
	}}}}}`

func thing(t testing.TB, rest string) Request {
	return Request{Desired: parse(t, "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x, namespace: shop}\n"+rest), Manager: "fairlead"}
}

const owned = `apiVersion: example.com/v1
kind: Thing
metadata:
  name: x
  namespace: shop
  managedFields:
  - {manager: fairlead, operation: Apply, apiVersion: example.com/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:whole": {}, "f:parts": {'k:{"id":"a"}': {".": {}, "f:id": {}, "f:num": {}}}}}}
  - {manager: edit, operation: Update, apiVersion: example.com/v1, time: "2026-01-02T03:04:05Z", fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:size": {}, "f:parts": {'k:{"id":"b"}': {".": {}, "f:id": {}}}}}}
spec: {size: 3, whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}]}
`

func text(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

func offline() *Merger {
	return New(func(context.Context, schema.GroupVersion) (io.ReadCloser, error) { return text(document), nil })
}

func TestMerge(t *testing.T) {
	m := offline()
	for name, tc := range map[string]struct {
		desired, base, want string
		conflicts, removed  []string
	}{
		"nothing changes":      {desired: "spec: {parts: [{id: a, num: 1}], whole: [{a: x}]}", base: "spec: {parts: [{id: a, num: 1}], whole: [{a: x}]}", want: "{size: 3, whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}]}"},
		"base unknown":         {desired: "spec: {parts: [{id: a, num: 1}], whole: [{a: x}]}", want: "{size: 3, whole: [{a: x}], parts: [{id: a, num: 1}, {id: b}]}", removed: []string{}},
		"base differs":         {desired: "spec: {parts: [{id: a, num: 1}], whole: [{a: x}]}", base: "spec: {whole: [{a: x, d: default}]}", want: "{size: 3, whole: [{a: x}], parts: [{id: a, num: 1}, {id: b}]}"},
		"an item of ours goes": {desired: "spec: {whole: [{a: x}]}", base: "spec: {whole: [{a: x}]}", want: "{size: 3, whole: [{a: x, d: default}], parts: [{id: b}]}", removed: []string{`spec.parts[id="a"]`}},
		"another's field":      {desired: "spec: {size: 4, parts: [{id: a, num: 1}], whole: [{a: x}]}", base: "spec: {whole: [{a: x}]}", want: "{size: 4, whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}]}", conflicts: []string{"edit spec.size 3 4"}},
		"another's same value": {desired: "spec: {size: 3, parts: [{id: a, num: 1}], whole: [{a: x}]}", base: "spec: {whole: [{a: x}]}", want: "{size: 3, whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}]}"},
		"a null clears":        {desired: "spec: {size: null, parts: [{id: a, num: 1}], whole: [{a: x}]}", base: "spec: {whole: [{a: x}]}", want: "{whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}]}", conflicts: []string{"edit spec.size 3 <nil>"}, removed: []string{"spec.size"}},
		"an item is made":      {desired: "spec: {parts: [{id: a, num: 1}, {id: c, num: 2}], whole: [{a: x}]}", base: "spec: {whole: [{a: x}]}", want: "{size: 3, whole: [{a: x, d: default}], parts: [{id: a, num: 1}, {id: b}, {id: c, num: 2}]}"},
	} {
		t.Run(name, func(t *testing.T) {
			req := thing(t, tc.desired)
			req.Live = parse(t, owned)
			if tc.base != "" {
				req.Base = thing(t, tc.base).Desired
			}
			before := []any{req.Live.DeepCopy(), req.Desired.DeepCopy()}
			res, err := m.Merge(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(before, []any{req.Live, req.Desired}) {
				t.Error("the request was changed")
			}
			want := parse(t, "kind: X\nspec: "+tc.want).Object["spec"]
			if !reflect.DeepEqual(res.Merged.Object["spec"], want) {
				t.Errorf("merged %v, want %v", res.Merged.Object["spec"], want)
			}
			var conflicts []string
			for _, c := range res.Conflicts {
				conflicts = append(conflicts, fmt.Sprint(c.Manager, " ", c.Path, " ", c.Live, " ", c.Desired))
				if c.Time == nil || c.Time.Year() != 2026 {
					t.Errorf("conflict %v: time %v", c.Path, c.Time)
				}
			}
			if !reflect.DeepEqual(conflicts, tc.conflicts) {
				t.Errorf("conflicts %q, want %q", conflicts, tc.conflicts)
			}
			if len(tc.removed) > 0 && !reflect.DeepEqual(res.Removed, tc.removed) {
				t.Errorf("removed %q, want %q", res.Removed, tc.removed)
			}
			forced := req
			forced.Force = true
			again, err := m.Merge(t.Context(), forced)
			if err != nil || len(again.Conflicts) > 0 || !reflect.DeepEqual(again.Merged, res.Merged) {
				t.Errorf("forced: %v %v", again, err)
			}
		})
	}
}

func TestUndecided(t *testing.T) {
	m := New(func(_ context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
		switch gv.Group {
		case "example.com":
			return text(document), nil
		case "broken.com":
			return text("{"), nil
		case "down.com":
			return nil, errors.New("connection refused")
		}
		return nil, nil
	})
	for group, reason := range map[string]error{"none.com": ErrNoSchema, "broken.com": ErrNoSchema, "down.com": ErrNoSchema} {
		_, _, err := m.Apply(t.Context(), nil, parse(t, "apiVersion: "+group+"/v1\nkind: Thing\nmetadata: {name: x}"), "fairlead", false)
		var ue *UndecidedError
		if !errors.As(err, &ue) || !errors.Is(err, reason) || ue.Name != "x" {
			t.Errorf("%s: %v", group, err)
		}
	}
	if _, _, err := m.Apply(t.Context(), nil, parse(t, "apiVersion: example.com/v1\nkind: Other\nmetadata: {name: x}"), "fairlead", false); !errors.Is(err, ErrNoSchema) {
		t.Errorf("unknown kind: %v", err)
	}
	req := thing(t, "spec: {size: 1}")
	req.Live = parse(t, owned)
	req.Live.SetAPIVersion("example.com/v2")
	if _, err := m.Merge(t.Context(), req); !errors.Is(err, ErrVersion) {
		t.Errorf("live of another version: %v", err)
	}
	req.Live = parse(t, owned)
	entries := req.Live.GetManagedFields()
	entries[1].APIVersion = "example.com/v1beta1"
	req.Live.SetManagedFields(entries)
	if _, err := m.Merge(t.Context(), req); !errors.Is(err, ErrVersion) {
		t.Errorf("manager of another version: %v", err)
	}
	if _, err := m.Merge(t.Context(), thing(t, "status: {x: 1}")); !errors.Is(err, ErrStatus) {
		t.Errorf("status: %v", err)
	}
	var ie *InvalidError
	for _, spec := range []string{"{unknown: 1}", "{size: text}", "{parts: [{id: a}, {id: a}]}"} {
		if _, err := m.Merge(t.Context(), thing(t, "spec: "+spec)); !errors.As(err, &ie) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if _, err := m.Merge(t.Context(), Request{}); err == nil {
		t.Error("nothing was merged")
	}
}

func TestSchemasAreLoadedOnce(t *testing.T) {
	var loads atomic.Int64
	m := New(func(_ context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
		loads.Add(1)
		return text(document), nil
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := m.Merge(t.Context(), thing(t, "spec: {size: 1}")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	m.Forget(schema.GroupVersion{Group: "example.com", Version: "v1"})
	for i := range maxSchemas + 10 {
		if _, err := m.schemas.of(t.Context(), schema.GroupVersion{Group: fmt.Sprint(i), Version: "v1"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.schemas.byGV); n != maxSchemas || m.schemas.order.Len() != n {
		t.Errorf("%d schemas are kept", n)
	}
}

func TestCancelledLoadIsNotKept(t *testing.T) {
	m := New(func(ctx context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
		return text(document), ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Merge(ctx, thing(t, "spec: {size: 1}")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := m.Merge(t.Context(), thing(t, "spec: {size: 1}")); err != nil {
		t.Errorf("the next caller: %v", err)
	}
}

func BenchmarkMerge(b *testing.B) {
	m := offline()
	req := thing(b, "spec: {parts: [{id: a, num: 1}], whole: [{a: x}]}")
	req.Live, req.Base = parse(b, owned), req.Desired
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Merge(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSchema(t *testing.T) {
	m := offline()
	gvk := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}
	s, err := m.Schema(t.Context(), gvk)
	if err != nil {
		t.Fatal(err)
	}
	o := diff.Object{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
	if n := s.Node(o, []string{"spec", "parts"}); !reflect.DeepEqual(n.Keys, []string{"id"}) || n.Set {
		t.Errorf("parts: %+v", n)
	}
	if n := s.Node(o, []string{"spec", "whole"}); len(n.Keys) > 0 || n.Set {
		t.Errorf("whole: %+v", n)
	}
	if n := s.Node(o, []string{"spec", "elsewhere", "requests", "cpu"}); !n.Quantity {
		t.Errorf("what the schema leaves open: %+v", n)
	}
	ch, err := diff.Compare(diff.Input{
		Live:    thing(t, "spec: {parts: [{id: a, num: 1}, {id: b}]}").Desired,
		Desired: thing(t, "spec: {parts: [{id: a, num: 2}]}").Desired,
	}, diff.Options{Schema: s})
	if err != nil || len(ch.Fields) != 1 || ch.Fields[0].Path != `spec.parts[id="a"].num` {
		t.Errorf("compared by it: %v %v", ch.Fields, err)
	}
	gvk.Kind = "Other"
	if _, err := m.Schema(t.Context(), gvk); !errors.Is(err, ErrNoSchema) {
		t.Errorf("unknown kind: %v", err)
	}
}
