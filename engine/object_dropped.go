package engine

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// dropped are warnings about the fields of body that stored lacks: what the API
// server has made of body, as a dry-run or a write returns it. Of a feature that
// is off in its version or configuration it knows the fields in its schema, and
// so accepts them, but removes them from what it stores; so do admission
// webhooks. Values that are zero do not count, since they may be left out.
func dropped(o diff.Object, schema diff.Schema, body, stored *unstructured.Unstructured) ([]string, error) {
	change, err := diff.Compare(diff.Input{Object: o, Live: body, Desired: stored, Merged: stored}, diff.Options{Schema: schema})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range change.Fields {
		if f.Desired != nil || f.Reordered || isZero(f.Live) || o.Group == "" && o.Kind == "Secret" && strings.HasPrefix(f.Path, "stringData") {
			continue
		}
		out = append(out, fmt.Sprintf("the API server accepts %s, but does not store it: the feature may be off or missing in its version, or an admission webhook removes it", f.Path))
	}
	return out, nil
}

// isZero reports whether a value is one that Go's types leave out of JSON, or a
// mapping of such values.
func isZero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			if !isZero(below) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil || v == false || v == "" || v == int64(0) || v == float64(0)
}
