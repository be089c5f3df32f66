package engine

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxData is how much a ConfigMap or Secret may hold.
const maxData = 1 << 20

// isOrdinary says whether the API server will surely find a plain new object
// valid, as far as its names, labels, keys, encoding and size go. What is not
// sure is asked about.
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
	if t, _ := u.Object["type"].(string); t != "" && t != "Opaque" {
		return false
	}
	total := 0
	for _, field := range []string{"data", "stringData", "binaryData"} {
		data, _ := u.Object[field].(map[string]any)
		for k, v := range data {
			text, ok := v.(string)
			if !ok && v != nil || len(validation.IsConfigMapKey(k)) > 0 {
				return false
			}
			total += len(text)
			if field == "binaryData" || field == "data" && u.GetKind() == "Secret" {
				if _, err := base64.StdEncoding.DecodeString(text); err != nil {
					return false
				}
			}
		}
	}
	return total < maxData/2 // without a second thought about what counts
}
