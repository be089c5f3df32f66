package engine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestSelectBase(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	state := func(image string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"image": image, "metadata": map[string]any{"name": "web"}}}
	}
	healthy := func(image string, seconds int) candidate {
		return candidate{object: state(image), recorded: at(seconds), healthy: true}
	}
	attempt := func(image string, seconds int) candidate {
		return candidate{object: state(image), recorded: at(seconds)}
	}
	live := func(image string, written int) *unstructured.Unstructured {
		u := state(image)
		if written >= 0 {
			when := metav1.NewTime(at(written))
			u.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "fairlead", Operation: metav1.ManagedFieldsOperationApply, Time: &when}})
		}
		return u
	}
	for name, c := range map[string]struct {
		candidates []candidate
		live       *unstructured.Unstructured
		want       string // the image of the base; empty: none
		unwritten  bool
	}{
		"no revision has it":                         {nil, live("a", 0), "", false},
		"the newest was healthy":                     {[]candidate{healthy("a", 0), healthy("b", 10)}, live("x", 0), "b", false},
		"an attempt that wrote it":                   {[]candidate{healthy("a", 0), attempt("b", 10)}, live("b", 12), "b", false},
		"an attempt that did not get to it":          {[]candidate{healthy("a", 0), attempt("b", 10)}, live("a", 1), "a", false},
		"the second of two attempts did not":         {[]candidate{healthy("a", 0), attempt("b", 10), attempt("c", 20)}, live("b", 12), "b", false},
		"written within a second, and it shows":      {[]candidate{healthy("a", 0), attempt("b", 10)}, live("b", 10), "b", false},
		"written within a second, and does not show": {[]candidate{healthy("a", 0), attempt("b", 10)}, live("a", 10), "a", false},
		"gone, and it was seen once":                 {[]candidate{healthy("a", 0), attempt("b", 10)}, nil, "b", false},
		"gone, and never seen":                       {[]candidate{attempt("a", 0), attempt("b", 10)}, nil, "b", true},
		"it existed before the release":              {[]candidate{attempt("a", 10)}, live("x", -1), "a", true},
		"a revision of unknown time":                 {[]candidate{healthy("a", 0), {object: state("b")}}, live("a", 1), "b", false},
	} {
		t.Run(name, func(t *testing.T) {
			base, unwritten := selectBase(c.candidates, c.live, "fairlead")
			got := ""
			if base != nil {
				got, _, _ = unstructured.NestedString(base.Object, "image")
			}
			if got != c.want || unwritten != c.unwritten {
				t.Errorf("base %q, unwritten %v", got, unwritten)
			}
		})
	}
}
