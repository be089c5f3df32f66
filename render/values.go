package render

// Values are user-supplied values: several layers merged, immutable, safe for
// concurrent use, encoding/json both ways with their origins. The zero value is
// no values: the chart's own defaults hold.
type Values struct {
	m       map[string]any
	origins *origins
}

// IsZero says whether there are no values at all.
func (v Values) IsZero() bool { return len(v.m) == 0 }

// Map is a deep copy of the merged values, never nil. A nil inside is a value
// that was set to null to delete the chart's default.
func (v Values) Map() map[string]any {
	if v.m == nil {
		return map[string]any{}
	}
	return copyMap(v.m)
}

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
