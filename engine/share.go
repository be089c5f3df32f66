package engine

import "slices"

// share answers a value equal to v, which was just decoded and is of no use
// after that, with the parts of two others that stand at the same place and are
// equal there, so that equal values are in memory once. It is read-only, as the
// others are.
func share(v, one, two any) any {
	switch {
	case same(v, one):
		return one
	case same(v, two):
		return two
	}
	switch v := v.(type) {
	case map[string]any:
		one, _ := one.(map[string]any)
		two, _ := two.(map[string]any)
		// Another map, because one that is full would grow even where a value
		// takes the place of another.
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = share(value, one[key], two[key])
		}
		return out
	case []any:
		one, _ := one.([]any)
		two, _ := two.([]any)
		for i, value := range v {
			v[i] = share(value, at(one, i), at(two, i))
		}
	}
	return v
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// same says whether two values as Kubernetes decodes them are the same, the
// types of numbers included.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			if other, ok := b[key]; !ok || !same(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false // and Go cannot compare them
	}
	return a == b
}
