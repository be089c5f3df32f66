package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The states of an object, as rendered, desired, applied before and live, share
// parts. So none is changed in place: the functions here copy the maps on the
// way to what they change.

// withField is u with a value at path; nil removes what is there. It fails if a
// value on the way is no mapping.
func withField(u *unstructured.Unstructured, value any, path ...string) (*unstructured.Unstructured, error) {
	out := &unstructured.Unstructured{Object: u.Object}
	return out, setField(out, value, path...)
}

// setField replaces u's content by a copy with a value at path; nil removes
// what is there.
func setField(u *unstructured.Unstructured, value any, path ...string) error {
	object, err := with(u.Object, value, path)
	if err != nil {
		return fmt.Errorf("set %s: %w", strings.Join(path, "."), err)
	}
	u.Object = object
	return nil
}

func with(m map[string]any, value any, path []string) (map[string]any, error) {
	key := path[0]
	if len(path) > 1 {
		below, ok := m[key].(map[string]any)
		switch {
		case !ok && value == nil:
			return m, nil
		case !ok && m[key] != nil:
			return nil, fmt.Errorf("%s is not a mapping", key)
		}
		changed, err := with(below, value, path[1:])
		if err != nil {
			return nil, err
		}
		value = changed
	}
	out := cloned(m)
	if value == nil {
		delete(out, key)
	} else {
		out[key] = value
	}
	return out, nil
}

// withMetadata is u with metadata as change leaves a copy of it.
func withMetadata(u *unstructured.Unstructured, change func(metadata map[string]any)) *unstructured.Unstructured {
	out := cloned(u.Object)
	metadata := cloned(out["metadata"])
	change(metadata)
	out["metadata"] = metadata
	return &unstructured.Unstructured{Object: out}
}

// cloned is a copy of a map, to be changed; an empty map for anything else.
func cloned(v any) map[string]any {
	m, _ := v.(map[string]any)
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}

func withLabel(u *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	return withMapEntry(u, "labels", key, value)
}

// withAnnotation is u with an annotation; an empty value removes it.
func withAnnotation(u *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	return withMapEntry(u, "annotations", key, value)
}

func withMapEntry(u *unstructured.Unstructured, field, key, value string) *unstructured.Unstructured {
	return withMetadata(u, func(metadata map[string]any) {
		all := cloned(metadata[field])
		if all[key] = value; value == "" {
			delete(all, key)
		}
		metadata[field] = all
	})
}

// annotation reads one annotation without copying the others.
func annotation(u *unstructured.Unstructured, key string) string {
	if u == nil {
		return ""
	}
	metadata, _ := u.Object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	s, _ := annotations[key].(string)
	return s
}

// numberAt is a number of an object, which JSON decodes to either of two
// types.
func numberAt(u *unstructured.Unstructured, missing int, path ...string) int {
	field, _, _ := unstructured.NestedFieldNoCopy(u.Object, path...)
	switch n := field.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return missing
}

// jsonEqual compares two values by their JSON.
func jsonEqual(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// isWithin reports whether path is field, or below it, in the notation of
// diff.Field.
func isWithin(path, field string) bool {
	rest, ok := strings.CutPrefix(path, field)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// removeAllocated removes from a Service what can be allocated only once.
func removeAllocated(u *unstructured.Unstructured) {
	if u.GetKind() != "Service" || u.GetAPIVersion() != "v1" {
		return
	}
	if ip, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP"); ip != "None" {
		unstructured.RemoveNestedField(u.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(u.Object, "spec", "clusterIPs")
	}
	unstructured.RemoveNestedField(u.Object, "spec", "healthCheckNodePort")
	ports, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "ports")
	if ports, ok := ports.([]any); ok {
		for _, p := range ports {
			if p, ok := p.(map[string]any); ok {
				delete(p, "nodePort")
			}
		}
	}
}

// someOf is the first names of a list, and how many more there are.
func someOf(names []string) string { return someAnd(names, 0) }

// someAnd is someOf with others that have no names.
func someAnd(names []string, others int) string {
	const most = 3
	named := min(len(names), most)
	text := strings.Join(names[:named], ", ")
	if more := len(names) - named + others; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
