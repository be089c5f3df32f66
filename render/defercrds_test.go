package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const deferredHead = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: "

// withCRDs is a chart with files below crds/: definitions of all kinds of YAML, a List,
// and an object that is no definition.
func withCRDs(t *testing.T, files map[string]string) *Chart {
	t.Helper()
	all := fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}}
	for name, text := range files {
		all["crds/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := LoadFS(all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var mixedCRDs = map[string]string{
	"a.yaml": "# first\n---\n" + deferredHead + "a\n  labels: {a: b}\n  annotations:\n    gone:\nspec:\n  group: example.com\n---\n" + deferredHead + "b\nspec: {group: x}\n",
	"b.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n- apiVersion: apiextensions.k8s.io/v1\n  kind: CustomResourceDefinition\n  metadata: {name: d}\n",
	"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: e\n---\n" + deferredHead + "f\nspec: &x\n  versions: [{name: v1}]\n---\n" + deferredHead + "g\nspec:\n  a: |-\n    b\n",
}

// Definitions that are deferred are those that a render decodes at once, in their
// order, whoever asks first; what is no definition is decoded anyway.
func TestDeferredCRDs(t *testing.T) {
	want, err := withCRDs(t, mixedCRDs).Render(t.Context(), Input{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	c := withCRDs(t, mixedCRDs)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2 {
				m, err := c.Render(t.Context(), Input{Name: "demo", DeferCRDs: true})
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(want.CRDs, m.DecodeCRDs()); diff != "" {
					t.Errorf("(-decoded +deferred)\n%s", diff)
				}
				left := ""
				for _, o := range m.CRDs {
					left += o.GetName()
				}
				if left != "cdef" {
					t.Errorf("%s are decoded, want those that the fast reader does not know or that are no definitions: cdef", left)
				}
				m.DecodeCRDs()[0].SetLabels(nil)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(want.CRDs, want.DecodeCRDs()); diff != "" {
		t.Errorf("a manifest with all its CRDs: %s", diff)
	}
}

// A manifest with deferred definitions is stored with them, and post-renderers are
// given them.
func TestDeferredCRDsGoAlong(t *testing.T) {
	c := withCRDs(t, mixedCRDs)
	want, err := c.Render(t.Context(), Input{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Render(t.Context(), Input{Name: "demo", DeferCRDs: true})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	wantData, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wantData), string(data)); diff != "" {
		t.Error(diff)
	}
	given := 0
	all := PostRenderFunc(func(_ context.Context, objects []Object) ([]Object, error) {
		given = len(objects)
		return objects, nil
	})
	rendered, err := m.PostRenderedIn(t.Context(), PostRenderAll, all)
	if err != nil || given != 7 {
		t.Fatalf("%d objects were given, %v", given, err)
	}
	if diff := cmp.Diff(want.CRDs, rendered.CRDs) + cmp.Diff(want.CRDs, rendered.DecodeCRDs()); diff != "" {
		t.Error(diff)
	}
}

// What is wrong with a CRD is an error of the render, and the same one, whether it is
// decoded or deferred.
func TestBrokenCRDsAreErrorsOfTheRender(t *testing.T) {
	for name, text := range map[string]string{
		"indentation": deferredHead + "a\nspec:\n  a: b\n    c: d\n", "a tab": deferredHead + "a\nspec:\n\ta: b\n", "open quote": deferredHead + "a\nspec:\n  a: \"b\n",
		"no name": "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata:\n  labels: {}\nspec: {}\n", "no kind": "apiVersion: v1\nmetadata:\n  name: a\n",
		"no version": "kind: CustomResourceDefinition\nmetadata:\n  name: a\n", "label": deferredHead + "a\n  labels:\n    a: 1\nspec: {}\n",
		"metadata": "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: a\n", "text": "only text\n", "second": deferredHead + "a\n---\n" + deferredHead + "b\nspec: [\n",
		"two kinds": deferredHead + "a\nkind: 1\n",
	} {
		var texts []string
		for _, deferred := range []bool{false, true} {
			_, err := withCRDs(t, map[string]string{"c.yaml": text}).Render(t.Context(), Input{Name: "demo", DeferCRDs: deferred})
			var at *Error
			if !errors.As(err, &at) || at.Op != "parse" || at.File != "web/crds/c.yaml" || at.Line == 0 {
				t.Errorf("%s: %v", name, err)
			}
			texts = append(texts, fmt.Sprint(err))
		}
		if texts[0] != texts[1] {
			t.Errorf("%s: %s", name, cmp.Diff(texts[0], texts[1]))
		}
	}
}

// Limits apply to a definition that is deferred as to one that is decoded.
func TestDeferredCRDsAreCharged(t *testing.T) {
	text := strings.Repeat("---\n"+deferredHead+"c\nspec:\n"+strings.Repeat("- a: b\n", 500), 20)
	for limit, limits := range map[string]Limits{"MemoryBytes": {MemoryBytes: 1 << 20}, "Documents": {Documents: 19}} {
		c := withCRDs(t, map[string]string{"c.yaml": text})
		for range 2 {
			_, err := c.Render(t.Context(), Input{Name: "demo", Limits: limits, DeferCRDs: true})
			var exceeded *LimitError
			if !errors.As(err, &exceeded) || exceeded.Limit != limit {
				t.Errorf("%s: %v", limit, err)
			}
			if _, err := c.Render(t.Context(), Input{Name: "demo", DeferCRDs: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A render with deferred definitions takes the same memory however large they are,
// and a file with very many documents is read all the same.
func TestDeferredCRDsTakeNoMemory(t *testing.T) {
	allocations := func(lines int) float64 {
		text := deferredHead + "c\nspec:\n" + strings.Repeat("  - a: b\n    c:\n      d: 'e'\n", lines)
		return testing.AllocsPerRun(5, func() {
			m, err := withCRDs(t, map[string]string{"c.yaml": text}).Render(t.Context(), Input{Name: "demo", DeferCRDs: true})
			if err != nil || len(m.CRDs) != 0 {
				t.Fatalf("%d CRDs, %v", len(m.CRDs), err)
			}
		})
	}
	if few, many := allocations(1), allocations(10_000); many > few+200 {
		t.Errorf("%v allocations with a small definition, %v with a large one", few, many)
	}
	many := strings.Repeat("---\n"+deferredHead+"c\n", maxOutlined+1)
	m, err := withCRDs(t, map[string]string{"c.yaml": many}).Render(t.Context(), Input{Name: "demo", DeferCRDs: true})
	if err != nil || len(m.DecodeCRDs()) != maxOutlined+1 {
		t.Errorf("%d CRDs, %v", len(m.DecodeCRDs()), err)
	}
}
