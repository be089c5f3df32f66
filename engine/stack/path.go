package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// splitPath splits a path of values at its dots; `\.` is a dot of a name.
func splitPath(path string) ([]string, error) {
	var out []string
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			name.WriteByte(path[i])
		case c == '.':
			out = append(out, name.String())
			name.Reset()
		default:
			name.WriteByte(c)
		}
	}
	out = append(out, name.String())
	for _, n := range out {
		if n == "" {
			return nil, fmt.Errorf("%w: the path %q of a value has an empty name", engine.ErrInvalidOptions, clean.Line(path))
		}
	}
	return out, nil
}

// overlap is an error if one of the paths, all of which can be split, is another one
// or leads to it: one of the two values would be lost.
func overlap(paths []string) error {
	for i, path := range paths {
		a, _ := splitPath(path)
		for _, other := range paths[i+1:] {
			b, _ := splitPath(other)
			if n := min(len(a), len(b)); slices.Equal(a[:n], b[:n]) {
				return fmt.Errorf("%w: the inputs %q and %q are one within the other", engine.ErrInvalidOptions, clean.Line(path), clean.Line(other))
			}
		}
	}
	return nil
}

// put sets the value at a path of names.
func put(into map[string]any, names []string, v any) {
	for _, n := range names[:len(names)-1] {
		next, ok := into[n].(map[string]any)
		if !ok {
			next = map[string]any{}
			into[n] = next
		}
		into = next
	}
	into[names[len(names)-1]] = v
}

// at is the value at a path of names.
func at(v any, names []string) any {
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	return v
}

// mapScalars is a value with what f returns in place of each scalar in it. Lists and
// maps are copied.
func mapScalars(v any, f func(any) any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = mapScalars(e, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = mapScalars(e, f)
		}
		return out
	}
	return f(v)
}
