package template

import (
	"testing"
)

// Every function that sprig, Helm and text/template have is one whose cost is
// stated, but for those that read the environment; and no cost is stated twice
// or for nothing.
func TestEveryFunctionHasACost(t *testing.T) {
	stated := costs()
	known := map[string]bool{}
	for name := range goFunctions() {
		known[name] = true
	}
	for name := range helm4Functions() {
		if known[name] = true; helm3()[name] != nil {
			t.Errorf("%s is there by the rules of Helm 3", name)
		}
	}
	for _, f := range builtins() {
		known[f.name] = true
	}
	for name := range known {
		if _, ok := stated[name]; !ok {
			t.Errorf("what does %s cost? Without an entry in costs no template can call it", name)
		}
		if functions()[name] == nil {
			t.Errorf("%s is not there", name)
		}
	}
	for name := range stated {
		if !known[name] {
			t.Errorf("the cost of %s is stated, but there is no such function", name)
		}
	}
	n := 0
	for _, part := range costTables {
		n += len(part())
	}
	if n != len(stated) {
		t.Errorf("%d costs are stated for %d functions", n, len(stated))
	}
	for _, name := range sharing {
		if !known[name] {
			t.Errorf("%s is in sharing, but there is no such function", name)
		}
	}
}
