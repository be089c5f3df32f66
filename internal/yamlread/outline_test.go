package yamlread

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outlines holds an outline against the Decoder, and reports whether there is one.
func outlines(t *testing.T, text string) bool {
	t.Helper()
	o, ok := OutlineOf(text, "a", "kind")
	if !ok {
		return false
	}
	want, err := whole(text, Integers)
	if err != nil {
		t.Errorf("%q has an outline, but: %v", text, err)
		return true
	}
	got := o.Object()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: (-whole +outline)\n%s", text, diff)
	}
	keys := map[string]any{}
	for _, key := range []string{"a", "kind"} {
		if value, ok := want[key]; ok {
			keys[key] = value
		}
	}
	if diff := cmp.Diff(keys, o.Keys()); diff != "" {
		t.Errorf("%q: (-keys +outline)\n%s", text, diff)
	}
	budget := NewBudget(0)
	if err := o.Charge(budget); err != nil {
		t.Fatal(err)
	}
	if kept := keptBy(got); kept > budget.Used() {
		t.Errorf("%q keeps %d bytes, and %d are charged", text, kept, budget.Used())
	}
	if most := lookAt(text).cost.kept(); budget.Used() > most {
		t.Errorf("%q is charged %d bytes, and %d where it is decoded at once", text, budget.Used(), most)
	}
	return true
}

// What the fast reader reads has an outline, but for texts that begin with spaces.
func TestOutlines(t *testing.T) {
	for _, text := range simpleTexts {
		if !outlines(t, text) {
			t.Errorf("no outline: %q", text)
		}
	}
	for _, text := range append(notSimpleTexts, "", " a: b", "a: b\n c: d", "a: - b", "- a: b", "a: b\na:\n c") {
		outlines(t, text)
	}
	for i, text := range simpleTexts { // also as an entry of others
		inside := fmt.Sprintf("kind: x\nb%d:\n  %s\nc: d", i, strings.ReplaceAll(text, "\n", "\n  "))
		outlines(t, inside)
		outlines(t, "kind: x\nb:\n- "+strings.ReplaceAll(text, "\n", "\n  ")+"\na: d\n")
	}
	flow := "a: [" + strings.Repeat("b, ", maxSkippedFlow) + "b]"
	if outlines(t, flow) {
		t.Error("brackets of any length are decoded to skip them")
	}
}

// An outline takes the same memory whatever the size of the document.
func TestOutlinesTakeNoMemory(t *testing.T) {
	allocations := func(n int) float64 {
		text := "kind: x\nspec:\n" + strings.Repeat("  - a: b\n    c: |-\n      d\n       e\n    f: \"g\"\n    h:\n    - i\n    - j: 1\n", n)
		return testing.AllocsPerRun(10, func() {
			if _, ok := OutlineOf(text, "kind"); !ok {
				t.Fatal("no outline")
			}
		})
	}
	if few, many := allocations(1), allocations(1000); many > few {
		t.Errorf("%v allocations for a short document, and %v for a long one", few, many)
	}
}

func TestCharactersThatAreSpecialEverywhere(t *testing.T) {
	for i := range 24 {
		for _, char := range []string{"\x00", "\x1f", "\t", "\n", "\r", " ", "~", "\x7f", "\u0080", "é", "\ufeff", "\u2028", "\xff", "日"} {
			text := strings.Repeat("x", i) + char + strings.Repeat(" ", 24-i)
			seen := lookAt(text)
			special, tabs := specialCharacters(text)
			if special != seen.special || tabs != seen.tabs {
				t.Errorf("%q at %d: special %v, tabs %v, want %v, %v", char, i, special, tabs, seen.special, seen.tabs)
			}
		}
	}
}

// FuzzOutline holds outlines against the library.
func FuzzOutline(f *testing.F) {
	for _, text := range append(simpleTexts, notSimpleTexts...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 4096 {
			outlines(t, text)
			outlines(t, "kind: x\na:\n  "+strings.ReplaceAll(text, "\n", "\n  "))
		}
	})
}
