package engine

import (
	"fmt"
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

// withoutAllocated is a target of a patch without the addresses and ports of a
// Service that it has neither now nor in the manifest: a dry-run invents them, and
// the API server may refuse them when they are written.
func (in intended) withoutAllocated(to *unstructured.Unstructured) *unstructured.Unstructured {
	if to.GetKind() != "Service" || to.GroupVersionKind().Group != "" {
		return to
	}
	live, _ := in.live.Object["spec"].(map[string]any)
	body, _ := in.body.Object["spec"].(map[string]any)
	to = to.DeepCopy()
	spec, _ := to.Object["spec"].(map[string]any)
	for _, field := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		if live[field] == nil && body[field] == nil {
			delete(spec, field)
		}
	}
	known := map[string]bool{} // by their text, as a manifest may have anything there
	for _, have := range []map[string]any{live, body} {
		ports, _ := have["ports"].([]any)
		for _, p := range ports {
			p, _ := p.(map[string]any)
			known[fmt.Sprint(p["nodePort"])] = true
		}
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if p, ok := p.(map[string]any); ok && !known[fmt.Sprint(p["nodePort"])] {
			delete(p, "nodePort")
		}
	}
	return to
}
