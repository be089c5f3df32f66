package engine

import (
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The states of an item, as rendered, desired, applied before and live, have
// parts in common. So none is changed in place: what follows copies the maps on
// the way to what it changes, and leaves those who share them alone.

// setField gives u a value at path; nil removes what is there.
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
			return nil, fmt.Errorf("%s is no mapping", key)
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

// withMetadata is u with the metadata that change makes of a copy.
func withMetadata(u *unstructured.Unstructured, change func(metadata map[string]any)) *unstructured.Unstructured {
	out := cloned(u.Object)
	metadata := cloned(out["metadata"])
	change(metadata)
	out["metadata"] = metadata
	return &unstructured.Unstructured{Object: out}
}

// cloned is a copy of a map, to be changed; of anything else, it is empty.
func cloned(v any) map[string]any {
	m, _ := v.(map[string]any)
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}
