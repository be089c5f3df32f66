package charts

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whatever the schema of a chart offers is used by some scenario, and so rendered, compared and applied to a cluster. Of
// Kubernetes' own types only the types themselves are counted, not all their fields.
func TestEveryValueIsInAScenario(t *testing.T) {
	used := map[string]map[string]bool{}
	for _, s := range scenarios(t) {
		if used[s.chart] == nil {
			used[s.chart] = map[string]bool{}
		}
		markUsed(used[s.chart], "", s.values)
	}
	for chart := range valuesTypes {
		var root map[string]any
		if err := json.Unmarshal([]byte(read(t, filepath.Join(chart, "values.schema.json"))), &root); err != nil {
			t.Fatal(err)
		}
		keys := schemaKeys("", root)
		if len(keys) < 100 {
			t.Fatalf("%s: the schema has %d keys", chart, len(keys))
		}
		for _, key := range keys {
			if !used[chart][key] {
				t.Errorf("%s: no scenario sets %s", chart, strings.TrimPrefix(key, "."))
			}
		}
	}
}

// markUsed notes every path that values set. Elements of lists and of maps are one path, written [] and *.
func markUsed(used map[string]bool, path string, value any) {
	used[path] = true
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			markUsed(used, path+"."+key, inner)
			markUsed(used, path+".*", inner)
		}
	case []any:
		for _, inner := range value {
			markUsed(used, path+"[]", inner)
		}
	}
}

func schemaKeys(path string, node map[string]any) []string {
	var keys []string
	properties, _ := node["properties"].(map[string]any)
	for key, inner := range properties {
		keys = append(keys, path+"."+key)
		keys = append(keys, schemaKeys(path+"."+key, inner.(map[string]any))...)
	}
	if items, ok := node["items"].(map[string]any); ok {
		keys = append(keys, schemaKeys(path+"[]", items)...)
	}
	elements := []any{node["additionalProperties"]}
	if patterns, ok := node["patternProperties"].(map[string]any); ok {
		for _, inner := range patterns {
			elements = append(elements, inner)
		}
	}
	for _, inner := range elements {
		if inner, ok := inner.(map[string]any); ok {
			keys = append(keys, schemaKeys(path+".*", inner)...)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestSchemaKeys(t *testing.T) {
	var node map[string]any
	const text = `{"properties": {"a": {"items": {"properties": {"b": {}}}}, "c": {"additionalProperties": {"properties": {"d": {}}}}, "e": {"additionalProperties": false}}}`
	if err := json.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	markUsed(used, "", map[string]any{"a": []any{map[string]any{"b": 1}}, "c": map[string]any{"x": map[string]any{"d": 1}}})
	if want := []string{".a", ".a[].b", ".c", ".c.*.d", ".e"}; !reflect.DeepEqual(schemaKeys("", node), want) {
		t.Errorf("keys %v, want %v", schemaKeys("", node), want)
	}
	if !used[".a[].b"] || !used[".c.*.d"] || used[".e"] {
		t.Errorf("used %v", used)
	}
}
