package merge

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Settled reports, without a schema and in a fraction of the time of a merge,
// that an apply of desired by manager would change nothing in live but its
// managedFields: manager owns exactly the fields of desired, and live has the
// same values. So there is nothing to add or remove, and no conflict. If it
// returns false, the apply may still change nothing: only a merge can decide.
//
// former reports whether an entry of managedFields is one that [Merger.TakeOver]
// takes fields from: an object that has one is never settled.
func Settled(live, desired *unstructured.Unstructured, manager string, former func(entry map[string]any) bool) bool {
	if live.GetAPIVersion() != desired.GetAPIVersion() || live.GetKind() != desired.GetKind() {
		return false
	}
	metadata, _ := live.Object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	var fields map[string]any
	for _, e := range entries {
		e, _ := e.(map[string]any)
		if e["manager"] == manager && e["operation"] == string(metav1.ManagedFieldsOperationApply) && e["subresource"] == nil {
			if fields != nil || e["apiVersion"] != desired.GetAPIVersion() {
				return false
			}
			fields, _ = e["fieldsV1"].(map[string]any)
			continue
		}
		if e["subresource"] == nil && former(e) {
			return false
		}
	}
	return fields != nil && settledMap(live.Object, desired.Object, fields, rootFields)
}

// The fields that identify an object have no owner.
var (
	rootFields     = []string{"apiVersion", "kind"}
	metadataFields = []string{"name", "namespace"}
)

// settledMap compares a map whose fields are owned one by one; unowned are the
// keys that have no owner.
func settledMap(live, desired, owned map[string]any, unowned []string) bool {
	count := 0
	for key, want := range desired {
		if slices.Contains(unowned, key) {
			if !reflect.DeepEqual(live[key], want) {
				return false
			}
			continue
		}
		under, ok := owned["f:"+key].(map[string]any)
		if !ok {
			return false
		}
		count++
		have, ok := live[key]
		if !ok {
			return false
		}
		var names []string
		if len(unowned) > 0 && key == "metadata" && slices.Equal(unowned, rootFields) {
			names = metadataFields
		}
		if !settled(have, want, under, names) {
			return false
		}
	}
	if _, ok := owned["."]; ok {
		count++
	}
	return count == len(owned)
}

func settled(live, desired any, owned map[string]any, unowned []string) bool {
	if len(owned) == 0 { // a leaf: a scalar, or an atomic list or map
		return desired != nil && equal(live, desired)
	}
	switch desired := desired.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		return ok && settledMap(live, desired, owned, unowned)
	case []any:
		live, ok := live.([]any)
		return ok && settledList(live, desired, owned)
	}
	return false
}

// settledList compares a list whose items are owned one by one, by their keys.
// If other managers have added items, only a merge can decide their order.
func settledList(live, desired []any, owned map[string]any) bool {
	if len(live) != len(desired) || len(owned) != len(desired) {
		return false
	}
	taken := make([]bool, len(desired))
	for element, under := range owned {
		text, ok := strings.CutPrefix(element, "k:")
		if !ok {
			return false
		}
		var keys map[string]any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&keys) != nil {
			return false
		}
		i := slices.IndexFunc(live, func(item any) bool { return hasKeys(item, keys, false) })
		if i < 0 || taken[i] || !hasKeys(desired[i], keys, true) {
			return false
		}
		taken[i] = true
		have, _ := live[i].(map[string]any)
		want, _ := desired[i].(map[string]any)
		of, ok := under.(map[string]any)
		if !ok || !settledMap(have, want, of, nil) {
			return false
		}
	}
	return true
}

// hasKeys reports whether item has the given keys; if defaulted is set, a key
// may be missing, as it may have a default.
func hasKeys(item any, keys map[string]any, defaulted bool) bool {
	m, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for key, want := range keys {
		have, ok := m[key]
		if !ok && defaulted {
			continue
		}
		if n, isNumber := want.(json.Number); isNumber {
			i, err := n.Int64()
			if err != nil || !equal(have, i) {
				return false
			}
			continue
		}
		if !ok || have != want {
			return false
		}
	}
	return true
}

// equal compares JSON values, whose integers have several types in Go.
func equal(a, b any) bool {
	switch b := b.(type) {
	case string:
		a, ok := a.(string)
		return ok && a == b
	case map[string]any:
		a, ok := a.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range b {
			if have, ok := a[k]; !ok || !equal(have, v) {
				return false
			}
		}
		return true
	case []any:
		a, ok := a.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	return reflect.DeepEqual(clone(a), clone(b))
}
