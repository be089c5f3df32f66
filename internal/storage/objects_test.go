package storage

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
)

func TestObjects(t *testing.T) {
	text := "---\n# Source: web/templates/a.yaml\nkind: ConfigMap\napiVersion: v1\ndata: {count: 1}\n---\n# Source: web/templates/b.yaml\n---\n\n" +
		"--- # by hand\nkind: List\napiVersion: v1\nitems:\n- {kind: Secret, apiVersion: v1}\n- {kind: Service, apiVersion: v1}\n"
	objects, err := Objects(NewDecoder(), text, nil)
	var got []string
	for _, o := range objects {
		got = append(got, o.GetKind()+" of "+o.Source)
	}
	if want := []string{"ConfigMap of web/templates/a.yaml", "Secret of manifest", "Service of manifest"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("objects: %v, %v", got, err)
	}
	if n := objects[0].Object["data"].(map[string]any)["count"]; n != int64(1) {
		t.Errorf("a whole number is %T", n)
	}
	if want := "# Source: web/templates/a.yaml\nkind: ConfigMap\napiVersion: v1\ndata: {count: 1}\n"; objects[0].Text != want {
		t.Errorf("text: %q", objects[0].Text)
	}
	known := map[string]render.Object{"kind: ConfigMap\napiVersion: v1\ndata: {count: 1}": {Unstructured: objects[0].Unstructured, Source: objects[0].Source}}
	again, err := Objects(NewDecoder(), text, known)
	if err != nil || again[0].Unstructured != objects[0].Unstructured {
		t.Errorf("a known object is read again: %v", err)
	}
	for _, bad := range []string{"a: b", "- a", "kind: List\nitems: [1]\n", "a: [", "x"} {
		if objects, err := Objects(NewDecoder(), "---\n# Source: x\n"+bad, nil); err == nil {
			t.Errorf("%q gives %v", bad, objects)
		}
	}
}

// A manifest of some kilobytes whose documents have aliases costs no more than
// its bound.
func TestObjectsOfAliases(t *testing.T) {
	anchor := "kind: ConfigMap\napiVersion: v1\na: &a [" + strings.Repeat("x,", 99) + "]\nb: &b [" + strings.Repeat("*a,", 60) + "]\nc: [" + strings.Repeat("*b,", 30) + "]\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Objects(NewDecoder(), strings.Repeat("---\n"+anchor, 100), nil)
	runtime.ReadMemStats(&after)
	var limit *render.LimitError
	if !errors.As(err, &limit) || limit.Limit != "MemoryBytes" {
		t.Errorf("error: %v", err)
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 2000 {
		t.Errorf("%d MiB were allocated", allocated)
	}
	_, err = Objects(NewDecoder(), fmt.Sprintf("---\nkind: ConfigMap\napiVersion: v1\na: %s%s\n", strings.Repeat("[", 2000), strings.Repeat("]", 2000)), nil)
	if !errors.As(err, &limit) || limit.Limit != "DocumentDepth" {
		t.Errorf("error: %v", err)
	}
}
