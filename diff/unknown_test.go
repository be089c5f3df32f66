package diff

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"+text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// Exactly what differs between two renders is unknown.
func TestMarkUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		live, first, second string
		want                []string
	}{
		"a value that is created":   {"", "data: {a: x1, b: c}", "data: {a: y2, b: c}", []string{"data.a"}},
		"a value that changes":      {"data: {a: v, b: c}", "data: {a: x1, b: c}", "data: {a: y2, b: c}", []string{"data.a"}},
		"one that is as before":     {"data: {a: x1}", "data: {a: x1}", "data: {a: y2}", []string{"data.a"}},
		"one that may be there":     {"data: {b: c}", "data: {b: c}", "data: {a: '1', b: c}", []string{"data.a"}},
		"one that may not be there": {"data: {b: c}", "data: {a: '1', b: c}", "data: {b: c}", []string{"data.a"}},
		"one that may go":           {"data: {a: '1', b: c}", "data: {b: c}", "data: {a: '1', b: c}", []string{"data.a"}},
		"a key":                     {"", "data: {x1: v, b: c}", "data: {y2: v, b: c}", []string{`data["(known after apply)"]`}},
		"a key beside a live one":   {"data: {b: c}", "data: {x1: v, b: c}", "data: {y2: v, b: c}", []string{`data["(known after apply)"]`}},
		"an item of a list":         {"", "items: [x1, b]", "items: [y2, b]", []string{"items[0]"}},
		"a list of other length":    {"", "items: [x1, b]", "items: [b]", []string{"items"}},
		"below a list":              {"items: []", "items: [{a: x1, b: c}]", "items: [{a: y2, b: c}]", []string{"items[0].a"}},
		"nothing":                   {"data: {a: b}", "data: {a: c}", "data: {a: c}", nil},
		"a number":                  {"", "spec: {size: 1}", "spec: {size: 2}", []string{"spec.size"}},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := parse(t, c.first), parse(t, c.second)
			var live *unstructured.Unstructured
			if c.live != "" {
				live = parse(t, c.live)
			}
			ch, err := Compare(Input{Base: live, Live: live, Desired: first, Merged: first}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			marked, err := ch.MarkUnknown(first, second, live)
			if err != nil {
				t.Fatal(err)
			}
			if got := marked.Unknown(); !slices.Equal(got, c.want) {
				t.Errorf("unknown are %q, want %q", got, c.want)
			}
			text, err := json.Marshal(Report{Changes: []Change{marked}})
			if err != nil {
				t.Fatal(err)
			}
			if c.want != nil && strings.Contains(string(text), "x1") && name != "one that is as before" {
				t.Errorf("the example is shown: %s", text)
			}
			var back Report
			if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back.Changes[0].Fields, marked.Fields) {
				t.Errorf("read back: %v %+v", err, back)
			}
			if _, err := marked.ApplyTo(live); (len(c.want) > 0) != errors.Is(err, ErrUnknown) {
				t.Errorf("ApplyTo: %v", err)
			}
			// With either value, what was shown is not exceeded; with more, it is.
			for _, then := range []*unstructured.Unstructured{first, second} {
				now, err := Compare(Input{Base: live, Live: live, Desired: then, Merged: then}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if more := marked.Exceeds(now); more != nil {
					t.Errorf("it exceeds what was shown: %+v", more)
				}
				more := then.DeepCopy()
				if err := unstructured.SetNestedField(more.Object, "1", "metadata", "annotations", "more"); err != nil {
					t.Fatal(err)
				}
				now, err = Compare(Input{Base: live, Live: live, Desired: more, Merged: more}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if marked.Exceeds(now) == nil {
					t.Error("what was not shown does not exceed it")
				}
			}
		})
	}
}

// A change says what a field will be, unless it cannot know.
func TestPlanned(t *testing.T) {
	ch := Change{Fields: []Field{
		{Path: "data", Desired: map[string]any{"a": "1", "b": Unknown{}}, Cause: Chart},
		{Path: "spec.ip", Desired: "10.0.0.1", Cause: Default},
		{Path: "spec.gone", Live: "x", Cause: Removed},
	}}
	for path, want := range map[string]struct {
		value          any
		known, touched bool
	}{
		"data.a": {"1", true, true}, "data.b": {nil, false, true}, "data": {nil, false, true}, "spec.ip": {nil, false, true},
		"spec": {nil, false, true}, "spec.gone": {nil, true, true}, "status": {nil, false, false}, "data.c": {nil, true, true},
	} {
		value, known, touched, err := ch.Planned(path)
		if err != nil || value != want.value || known != want.known || touched != want.touched {
			t.Errorf("%s: %v %v %v %v", path, value, known, touched, err)
		}
	}
}

// What is allocated is unknown where a field shows it, and nowhere else: not in a
// list of which the field shows what the manifest has.
func TestMarkAllocated(t *testing.T) {
	const manifest = "spec: {items: [{name: a}], volumes: [{name: v}], ip: x}"
	merged := parse(t, "spec: {items: [{name: a, port: 30001}], volumes: [{name: v}, {name: token-a}], ip: x, ips: [x, 10.0.0.1]}")
	other := parse(t, "spec: {items: [{name: a, port: 1}], volumes: [{name: v}, {name: token-b}], ip: x, ips: [x, y]}")
	ch, err := Compare(Input{Desired: parse(t, manifest), Merged: merged}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ch.Fields {
		if ch.Fields[i].Path == "spec.volumes" { // as of a list that is merged by key
			ch.Fields[i].Desired = []any{map[string]any{"name": "v"}}
		}
	}
	ch.Fields = append(ch.Fields, Field{Path: `spec.volumes[name="token-a"]`, Desired: map[string]any{"name": "token-a"}, Cause: Default})
	before := slices.Clone(ch.Fields)
	marked, err := ch.MarkAllocated(merged, other)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, ch.Fields) {
		t.Error("the change itself is marked")
	}
	got := map[string]any{}
	for _, f := range marked.Fields {
		got[f.Path] = f.Desired
	}
	for path, want := range map[string]any{
		"spec.ip": "x", "spec.ips": []any{"x", Unknown{}}, "spec.volumes": []any{map[string]any{"name": "v"}},
		`spec.volumes[name="(known after apply)"]`: Unknown{},
	} {
		if !reflect.DeepEqual(got[path], want) {
			t.Errorf("%s is %v, want %v; all: %v", path, got[path], want, got)
		}
	}
	if text, _ := json.Marshal(marked); strings.Contains(string(text), "30001") || strings.Contains(string(text), "10.0.0.1") || strings.Contains(string(text), "token-a") {
		t.Errorf("what a dry-run chose is shown: %s", text)
	}
}
