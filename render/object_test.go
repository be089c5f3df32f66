package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const roundTripped = `apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {app: w, part: }, annotations: {x: null, y: "1"}}
data:
  n: |
    text
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: s, labels: {gone: }}, data: {}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: h
  annotations: {helm.sh/hook: pre-install, empty: }
spec:
  script: |
    one
`

func TestManifestsRoundTrip(t *testing.T) {
	c, err := LoadFS(fstest.MapFS{
		"Chart.yaml": {Data: []byte(hostileChart)}, "templates/x.yaml": {Data: []byte(roundTripped)},
		"crds/c.yaml": {Data: []byte("apiVersion: v1\nkind: Thing\nmetadata: {name: c, annotations: {none: ~}}\nspec:\n  text: |\n    end\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Render(t.Context(), Input{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	if labels := m.Objects[1].GetLabels(); !reflect.DeepEqual(labels, map[string]string{"app": "w"}) {
		t.Errorf("labels %v", labels)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Manifest
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{"objects": {m.Objects, back.Objects}, "hooks": {m.Hooks, back.Hooks}, "CRDs": {m.CRDs, back.CRDs}} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s differ (-rendered +read):\n%s", name, diff)
		}
	}
	if m.Text() != back.Text() {
		t.Error("the texts differ")
	}
}

// The objects of a source that is written in Go need no text.
func TestObjectsWithoutText(t *testing.T) {
	object := func(name string) Object {
		return Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{
			"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": name}, "data": map[string]any{"n": int64(1), "f": 1.5},
		}}, Source: "go"}
	}
	m := &Manifest{Objects: []Object{object("a")}, Hooks: []Hook{{Object: object("h"), Events: []HookEvent{HookTest}}}, CRDs: []Object{object("c")}}
	text := func(name string) string {
		return "apiVersion: v1\ndata:\n  f: 1.5\n  \"n\": 1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n"
	}
	var written bytes.Buffer
	if err := m.WriteYAML(&written); err != nil {
		t.Fatal(err)
	}
	if want := "---\n# Source: go\n" + text("a") + "---\n# Source: go\n" + text("h"); written.String() != want {
		t.Errorf("%s", written.String())
	}
	if want := "---\n# Source: go\n" + text("a"); m.Text() != want {
		t.Errorf("%s", m.Text())
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Manifest
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Objects, back.Objects) + cmp.Diff(m.Hooks, back.Hooks) + cmp.Diff(m.CRDs, back.CRDs); diff != "" {
		t.Errorf("-made +read:\n%s", diff)
	}
	bad := object("a")
	bad.Object["x"] = math.NaN()
	for _, o := range []Object{{}, bad} {
		if _, err := o.Document(); err == nil {
			t.Errorf("%v has a document", o)
		}
		if err := (&Manifest{Objects: []Object{o}}).WriteYAML(&written); err == nil {
			t.Errorf("%v is written", o)
		}
	}
}

// CRDs are parsed once for a chart, and what one caller changes of their metadata
// another one does not see.
func TestCRDsAreParsedOnce(t *testing.T) {
	var file strings.Builder
	for i := range 200 {
		file.WriteString("---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c" + strings.Repeat("x", i) + ", labels: {a: b}}\nspec:\n" + strings.Repeat("- one line and\n  another one\n", 50))
	}
	c, err := LoadFS(fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}, "crds/c.yaml": {Data: []byte(file.String())}})
	if err != nil {
		t.Fatal(err)
	}
	render := func() *Manifest {
		m, err := c.Render(t.Context(), Input{Name: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := render()
	first.CRDs[0].SetLabels(map[string]string{"changed": "yes"})
	second := render()
	if len(second.CRDs) != 200 || second.CRDs[0].GetLabels()["a"] != "b" {
		t.Errorf("%d CRDs, the first with labels %v", len(second.CRDs), second.CRDs[0].GetLabels())
	}
	warm := testing.AllocsPerRun(3, func() { render() })
	if warm > 200*40 {
		t.Errorf("%v allocations for a second render of 200 CRDs: they are parsed again", warm)
	}
}

// A render that finds the CRDs parsed is charged for them as the first one was.
func TestParsedCRDsAreCharged(t *testing.T) {
	text := strings.Repeat("---\napiVersion: example.com/v1\nkind: CustomResourceDefinition\nmetadata: {name: c}\nspec:\n"+strings.Repeat("- a: b\n", 500), 20)
	c, err := LoadFS(fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}, "crds/c.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // before and after the first render that succeeds
		for limit, limits := range map[string]Limits{"MemoryBytes": {MemoryBytes: 1 << 20}, "Documents": {Documents: 19}} {
			_, err := c.Render(t.Context(), Input{Name: "demo", Limits: limits})
			var exceeded *LimitError
			var at *Error
			if !errors.As(err, &exceeded) || exceeded.Limit != limit || !errors.As(err, &at) || at.File != "web/crds/c.yaml" {
				t.Errorf("%s: %v", limit, err)
			}
		}
		if _, err := c.Render(t.Context(), Input{Name: "demo"}); err != nil {
			t.Fatal(err)
		}
	}
}
