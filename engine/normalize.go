package engine

import (
	"encoding/base64"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// serverMetadata are fields that the API server alone sets. Charts that were
// made of live objects hold them; they are left out, as Helm 3 leaves them out
// of its patches. So is the status of Kubernetes' own kinds.
var serverMetadata = []string{
	"resourceVersion", "uid", "managedFields", "generation", "creationTimestamp", "selfLink",
	"deletionTimestamp", "deletionGracePeriodSeconds",
}

// normalized is a rendered object as server-side apply should see it: without
// what the API server alone sets, without null, which means absent unless the
// schema allows it, and with a Secret's stringData as the data that it becomes,
// so that a key which leaves it is removed. u is not changed.
func normalized(u *unstructured.Unstructured, nulls *merge.Nullable) *unstructured.Unstructured {
	object, _ := withoutNull(u.Object, nulls).(map[string]any)
	out := &unstructured.Unstructured{Object: maps.Clone(object)}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		out.Object["metadata"] = ownMetadata(metadata)
	}
	if diff.IsBuiltinGroup(u.GroupVersionKind().Group) {
		delete(out.Object, "status")
	}
	if u.GetKind() == "Secret" && u.GetAPIVersion() == "v1" {
		foldStringData(out.Object)
	}
	return out
}

// ownMetadata is metadata without null and without what the API server alone
// sets; it is copied only if it has any of that.
func ownMetadata(metadata map[string]any) map[string]any {
	out, _ := withoutNull(metadata, nil).(map[string]any)
	copied := false
	for _, field := range serverMetadata {
		if _, ok := out[field]; !ok {
			continue
		}
		if !copied {
			out, copied = maps.Clone(out), true
		}
		delete(out, field)
	}
	return out
}

func hasNull(v any) bool {
	_, changed := dropNull(v, nil)
	return changed
}

// withoutNull is v without the entries of mappings that are null and may not be.
// What holds none is returned as it is, uncopied; null as an item of a list
// stays.
func withoutNull(v any, nulls *merge.Nullable) any {
	out, _ := dropNull(v, nulls)
	return out
}

func dropNull(v any, nulls *merge.Nullable) (out any, changed bool) {
	switch v := v.(type) {
	case map[string]any:
		var copied map[string]any
		for key, value := range v {
			if value == nil && nulls.Field(key).Allowed() {
				continue
			}
			clean, changed := dropNull(value, nulls.Field(key))
			if value != nil && !changed {
				continue
			}
			if copied == nil {
				copied = maps.Clone(v)
			}
			if copied[key] = clean; value == nil {
				delete(copied, key)
			}
		}
		if copied != nil {
			return copied, true
		}
	case []any:
		var copied []any
		for i, value := range v {
			clean, changed := dropNull(value, nulls.Item())
			if !changed {
				continue
			}
			if copied == nil {
				copied = append([]any(nil), v...)
			}
			copied[i] = clean
		}
		if copied != nil {
			return copied, true
		}
	}
	return v, false
}

// foldStringData moves stringData, which wins over data, into data. Values that
// are not strings stay where they are: the API server refuses them by name.
func foldStringData(secret map[string]any) {
	given, ok := secret["stringData"].(map[string]any)
	if !ok {
		return
	}
	data, _ := secret["data"].(map[string]any)
	folded := cloned(data)
	rest := map[string]any{}
	for key, value := range given {
		if text, ok := value.(string); ok {
			folded[key] = base64.StdEncoding.EncodeToString([]byte(text))
		} else {
			rest[key] = value
		}
	}
	if delete(secret, "stringData"); len(rest) > 0 {
		secret["stringData"] = rest
	}
	if len(folded) > 0 {
		secret["data"] = folded
	}
}
