package yamlread

import (
	"errors"
	"strings"
	"testing"

	sigsyaml "sigs.k8s.io/yaml"
)

func TestMarshalIsCharged(t *testing.T) {
	var deep any = "x"
	for range 900 {
		deep = map[string]any{"a": deep}
	}
	for name, v := range map[string]any{
		"deep":    deep,
		"control": strings.Repeat("\x01", 1000),
		"lines":   map[string]any{"a": map[string]any{"b": map[string]any{"c": strings.Repeat("a\n", 1000)}}},
		"plain":   map[string]any{"a": []any{"b", int64(1), 1.5e300, nil, true}, "c:": "d: e", "e": map[string]any{}},
	} {
		want, err := sigsyaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if c := textSize(v, 0); c.bytes < int64(len(want)) {
			t.Errorf("%s has %d bytes, and %d are charged", name, len(want), c.bytes)
		}
		budget := NewBudget(0)
		if got, err := Marshal(budget, v); err != nil || got != string(want) {
			t.Errorf("%s: %v", name, err)
		} else if budget.used.Load() != int64(len(want)) {
			t.Errorf("%s: %d bytes stay charged, want %d", name, budget.used.Load(), len(want))
		}
	}
	if _, err := Marshal(NewBudget(1<<20), deep); !errors.As(err, new(*LimitError)) {
		t.Errorf("a text of %d levels in 1 MiB: %v", 900, err)
	}
}
