package render

import (
	"fmt"
	"io"
)

// Values are user-supplied values: several layers merged, immutable, safe for
// concurrent use, encoding/json both ways with their origins. The zero value is
// no values: the chart's own defaults apply.
//
// Values may be secret. Formatting, printing and logging them shows how many
// there are and none of them. Encoding/json stores them: a struct with values in
// it shows them where it is written as JSON, in a log too.
type Values struct {
	data    *hidden[map[string]any] // nil: none
	origins *origins
}

// merged returns the values, nil if there are none. Not to be changed.
func (v Values) merged() map[string]any { return v.data.get() }

// IsZero reports whether there are no values at all.
func (v Values) IsZero() bool { return len(v.merged()) == 0 }

// Map returns a deep copy of the merged values, never nil. A nil inside is a
// value that was set to null to delete the chart's default.
func (v Values) Map() map[string]any { return copyMap(v.merged()) }

// String returns how many keys the values have at the top level.
func (v Values) String() string {
	if n := len(v.merged()); n != 1 {
		return fmt.Sprintf("values with %d keys", n)
	}
	return "values with 1 key"
}

// GoString returns the type and no values.
func (v Values) GoString() string { return "render.Values{ " + v.String() + " }" }

// Format writes [Values.String] for every verb.
func (v Values) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

func copyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = copyValue(v)
	}
	return out
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		return copyMap(v)
	case []any:
		if v == nil {
			return v
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyValue(item)
		}
		return out
	}
	return v
}
