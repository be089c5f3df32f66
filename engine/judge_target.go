package engine

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// overwriteTo is what a live object is patched into, without what is not the
// plan's to write: labels and annotations of others, and what the API server has
// allocated for the dry-run alone.
func (in intended) overwriteTo(target *unstructured.Unstructured) *overwrite {
	return &overwrite{in.live, in.withoutAllocated(in.withoutForeignMetadata(target))}
}

// withoutForeignMetadata is a target of a patch with those labels and annotations
// as they are live that the release has nothing to do with: a controller may
// have written them after the object was read.
func (in intended) withoutForeignMetadata(to *unstructured.Unstructured) *unstructured.Unstructured {
	return withMetadata(to, func(metadata map[string]any) {
		for _, field := range []string{"labels", "annotations"} {
			path := pathOf("metadata", field)
			live, _ := valueAt(in.live.Object, path).(map[string]any)
			body, _ := valueAt(in.body.Object, path).(map[string]any)
			var base map[string]any
			if in.base != nil {
				base, _ = valueAt(in.base.Object, path).(map[string]any)
			}
			entries := cloned(metadata[field])
			foreign := func(key string, _ any) bool {
				return body[key] == nil && base[key] == nil && !slices.Contains(v2Annotations, key) // these are fields of the spec
			}
			maps.DeleteFunc(entries, foreign)
			for key, v := range live {
				if foreign(key, v) {
					entries[key] = v
				}
			}
			if metadata[field] = entries; len(entries) == 0 {
				delete(metadata, field)
			}
		}
	})
}
