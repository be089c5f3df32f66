package engine

import "testing"

func TestSame(t *testing.T) {
	values := []any{
		nil, true, false, "", "a", int64(1), 1.0, 1.5,
		map[string]any{}, map[string]any{"a": nil}, map[string]any{"b": nil}, map[string]any{"a": int64(1)}, map[string]any{"a": int64(1), "b": nil},
		[]any{}, []any{nil}, []any{"a", map[string]any{}}, []any{"a", map[string]any{"a": "b"}}, []any{"a"},
	}
	for i, a := range values {
		for j, b := range values {
			if same(a, b) != (i == j) {
				t.Errorf("%#v and %#v: %v", a, b, same(a, b))
			}
		}
	}
}
