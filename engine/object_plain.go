package engine

import (
	"encoding/base64"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxData is the size in bytes that a ConfigMap or Secret may have.
const maxData = 1 << 20

// maxAnnotations is the size in bytes that the annotations of an object may
// have.
const maxAnnotations = 256 << 10

// isPlain reports whether the object is a ConfigMap, Secret or ServiceAccount of
// the right shape: a big release has many of them, they start nothing, and
// there is little for the API server to refuse.
func isPlain(u *unstructured.Unstructured) bool {
	var allowed []string
	switch u.GetAPIVersion() + "/" + u.GetKind() {
	case "v1/ConfigMap":
		allowed = []string{"data", "binaryData", "immutable"}
	case "v1/Secret":
		allowed = []string{"data", "stringData", "immutable", "type"}
	case "v1/ServiceAccount":
		allowed = []string{"secrets", "imagePullSecrets", "automountServiceAccountToken"}
	default:
		return false
	}
	for key, v := range u.Object {
		switch {
		case key == "apiVersion", key == "kind", key == "metadata":
		case !slices.Contains(allowed, key):
			return false
		case strings.HasSuffix(strings.ToLower(key), "data"):
			data, ok := v.(map[string]any)
			if !ok {
				return false
			}
			for _, text := range data {
				if _, ok := text.(string); !ok {
					return false
				}
			}
		}
	}
	return true
}

// isImmutable reports whether a ConfigMap or Secret is marked as immutable.
func isImmutable(u *unstructured.Unstructured) bool {
	immutable, _ := u.Object["immutable"].(bool)
	return immutable
}

// isOrdinary reports whether the API server will certainly find a plain object
// valid, as far as its names, labels, keys, encoding and size go. Otherwise a
// dry-run decides.
func isOrdinary(u *unstructured.Unstructured) bool {
	metadata, _ := u.Object["metadata"].(map[string]any)
	for field, v := range metadata {
		switch field {
		case "name", "namespace", "labels", "annotations":
		default:
			if v != nil {
				return false
			}
		}
	}
	if len(validation.IsDNS1123Subdomain(u.GetName())) > 0 {
		return false
	}
	for k, v := range u.GetLabels() {
		if len(validation.IsQualifiedName(k)) > 0 || len(validation.IsValidLabelValue(v)) > 0 {
			return false
		}
	}
	for k := range u.GetAnnotations() {
		if len(validation.IsQualifiedName(k)) > 0 {
			return false
		}
	}
	return !namesTwice(u, "secrets") && holdsOrdinary(u)
}

// holdsOrdinary is the part of isOrdinary that others may spoil, who add to a
// live object: its type, its keys, their encoding, and all sizes.
func holdsOrdinary(u *unstructured.Unstructured) bool {
	if t, _ := u.Object["type"].(string); t != "" && t != "Opaque" {
		return false
	}
	total := 0
	for k, v := range u.GetAnnotations() {
		total += len(k) + len(v)
	}
	if total > maxAnnotations/2 {
		return false
	}
	keys := map[string]bool{}
	for _, field := range []string{"data", "stringData", "binaryData"} {
		data, _ := u.Object[field].(map[string]any)
		for k, v := range data {
			text, ok := v.(string)
			if !ok && v != nil || len(validation.IsConfigMapKey(k)) > 0 {
				return false
			}
			if total += len(text); keys[k] {
				return false // a key may be in one of them only
			}
			keys[k] = true
			if field == "binaryData" || field == "data" && u.GetKind() == "Secret" {
				if _, err := base64.StdEncoding.DecodeString(text); err != nil {
					return false
				}
			}
		}
	}
	return total < maxData/2 // well below, whatever else counts
}

// namesTwice reports whether two items of a list have the same name.
func namesTwice(u *unstructured.Unstructured, field string) bool {
	list, _ := u.Object[field].([]any)
	seen := map[string]bool{}
	for _, item := range list {
		name := nameOf(item)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
