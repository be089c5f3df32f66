package definition

import (
	"maps"
	"reflect"
	"slices"
)

// harmless are the keywords that do not restrict which objects are valid, and
// those that narrowed compares by itself.
var harmless = []string{
	"description", "title", "example", "externalDocs", "default", "properties", "items", "additionalProperties", "enum", "required",
	"x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
}

// permissive are the keywords that only allow more where they are set.
var permissive = []string{"nullable", "x-kubernetes-preserve-unknown-fields"}

// restrictive are those that only allow more where they are gone.
var restrictive = []string{
	"maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
	"uniqueItems", "multipleOf", "maxProperties", "minProperties", "x-kubernetes-validations",
}

// narrowed returns the paths at which the schema after may reject or prune what
// before accepts. It errs on the safe side: every difference that is not only an
// addition is listed.
func narrowed(path string, before, after map[string]any) (out []string) {
	differs := func(keyword string) bool {
		if after[keyword] == true && slices.Contains(permissive, keyword) || after[keyword] == nil && slices.Contains(restrictive, keyword) {
			return false
		}
		return !slices.Contains(harmless, keyword) && !reflect.DeepEqual(before[keyword], after[keyword])
	}
	here := slices.ContainsFunc(slices.Collect(maps.Keys(before)), differs) || slices.ContainsFunc(slices.Collect(maps.Keys(after)), differs)
	here = here || !containsAll(list(before, "required"), list(after, "required"))
	if allowed := list(after, "enum"); allowed != nil {
		had := list(before, "enum")
		here = here || had == nil || !containsAll(allowed, had)
	}
	was, will := object(before, "properties"), object(after, "properties")
	for _, name := range slices.Sorted(maps.Keys(was)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		if will[name] == nil {
			out = append(out, at)
			continue
		}
		out = append(out, narrowed(at, object(was, name), object(will, name))...)
	}
	open := before["additionalProperties"] != nil || before["x-kubernetes-preserve-unknown-fields"] == true
	here = here || open && len(will) > len(was) // unknown fields get a schema
	for keyword, suffix := range map[string]string{"items": "[]", "additionalProperties": ".*"} {
		x, isX := before[keyword].(map[string]any)
		y, isY := after[keyword].(map[string]any)
		switch {
		case isX && isY:
			out = append(out, narrowed(path+suffix, x, y)...)
		case !reflect.DeepEqual(before[keyword], after[keyword]):
			here = true
		}
	}
	if here {
		if path == "" {
			path = "."
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func object(of map[string]any, key string) map[string]any {
	m, _ := of[key].(map[string]any)
	return m
}

func list(of map[string]any, key string) []any {
	l, _ := of[key].([]any)
	return l
}

// containsAll reports whether every member of part is in whole.
func containsAll(whole, part []any) bool {
	return !slices.ContainsFunc(part, func(x any) bool {
		return !slices.ContainsFunc(whole, func(y any) bool { return reflect.DeepEqual(x, y) })
	})
}
