package diff

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// flow returns v on one line, close to YAML's flow style.
func flow(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return oneLine(quoteIfNeeded(v))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = flow(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range keysOf(v, nil) {
			parts = append(parts, oneLine(k)+": "+flow(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return scalarText(v)
	}
}

// quoteIfNeeded quotes a string that would read as another type, as empty, or
// with invisible spaces.
func quoteIfNeeded(s string) string {
	switch s {
	case "", "true", "false", "null", "yes", "no", "on", "off", "(none)":
		return fmt.Sprintf("%q", s)
	}
	if s != strings.TrimSpace(s) || strings.ContainsAny(s, "\n\"") || strings.ContainsAny(s[:1], "[{'&*!|>%@`#") && !isPlaceholder(s) {
		return fmt.Sprintf("%q", s)
	}
	if _, n, ok := parseScalar(s); ok && n == len(s) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// blockText returns v in lines, and whether it is more readable so: multi-line
// texts, lists and maps that contain others, and long ones.
func blockText(v any) ([]string, bool) {
	switch v := v.(type) {
	case nil:
		return nil, false
	case string:
		lines := strings.Split(strings.TrimSuffix(v, "\n"), "\n")
		if strings.Contains(v, "\n") && !strings.HasSuffix(v, "\n") {
			lines[len(lines)-1] += " (no newline at the end)"
		}
		return lines, strings.Contains(v, "\n")
	case []any, map[string]any:
		data, err := yaml.Marshal(printable(v))
		if err != nil {
			return []string{flow(v)}, false
		}
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nested(v) || columns(flow(v)) > 60
	default:
		return []string{flow(v)}, false
	}
}

// nested reports whether v contains a list or map that is not empty.
func nested(v any) bool {
	filled := func(e any) bool {
		switch e := e.(type) {
		case []any:
			return len(e) > 0
		case map[string]any:
			return len(e) > 0
		}
		return false
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if filled(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if filled(e) {
				return true
			}
		}
	}
	return false
}
