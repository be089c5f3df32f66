package engine

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Each field of what a pass is given is compared, or is known not to matter: one
// that is new and forgotten would return what was computed with another value.
func TestArgumentsAreComplete(t *testing.T) {
	names := func(v any) []string {
		var out []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			out = append(out, f.Name)
		}
		return out
	}
	elsewhere := []string{
		"Key", "Namespace", "Name", // the slot
		"Source", "ValuesFrom", "PostRender", "SchemaLoader", // argumentsOf
		"Share", // only whether there is memory for it
	}
	for _, name := range names(Release{}) {
		if !slices.Contains(names(releaseArguments{}), name) && !slices.Contains(elsewhere, name) {
			t.Errorf("Release.%s is not compared", name)
		}
	}
	for _, name := range names(ReconcileOptions{}) {
		if !slices.Contains(names(optionArguments{}), name) {
			t.Errorf("ReconcileOptions.%s is not compared", name)
		}
	}
	// Each field has the value of its name.
	var o ReconcileOptions
	v := reflect.ValueOf(&o).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Bool {
			f.SetBool(true)
			got := reflect.ValueOf(optionArgumentsOf(o))
			for j := range got.NumField() {
				if g := got.Field(j); g.Kind() == reflect.Bool && g.Bool() != (got.Type().Field(j).Name == v.Type().Field(i).Name) {
					t.Errorf("%s is compared as %s", v.Type().Field(i).Name, got.Type().Field(j).Name)
				}
			}
			f.SetBool(false)
		}
	}
}

// What is remembered is bounded, and the least recently used goes first.
func TestCacheIsBounded(t *testing.T) {
	a := newResultCache()
	const size = 1 << 20
	first := slot{Key{"team", "first"}, "status"}
	a.put(&cachedResult{slot: first, size: size})
	for i := range 3 * maxCached / size {
		a.put(&cachedResult{slot: slot{Key{"team", strings.Repeat("a", i+1)}, "status"}, size: size})
		if a.get(first, arguments{}) == nil {
			t.Fatal("what is used was dropped")
		}
		if a.size > maxCached || a.size != size*a.order.Len() || len(a.by) != a.order.Len() {
			t.Fatalf("%d bytes in %d, %d", a.size, a.order.Len(), len(a.by))
		}
	}
	a.put(&cachedResult{slot: first, size: 2 * size})
	if a.size > maxCached || a.get(first, arguments{}).size != 2*size {
		t.Errorf("%d bytes", a.size)
	}
	if a.get(first, arguments{digest: [32]byte{1}}) != nil {
		t.Error("what was computed with other options is returned")
	}
	a.forget(first)
	if a.get(first, arguments{}) != nil {
		t.Error("it is not forgotten")
	}
}

// Values that have no JSON are not compared.
func TestDigestOfValues(t *testing.T) {
	a := newResultCache()
	if _, ok := a.digest(map[string]any{"a": func() {}}); ok {
		t.Error("a function has a digest")
	}
	one, _ := a.digest("a", "bc")
	two, _ := a.digest("ab", "c")
	other, _ := newResultCache().digest("a", "bc")
	if one == two || one == other {
		t.Error("digests are equal")
	}
}
