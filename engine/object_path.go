package engine

import (
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// pathOf is a path of field names.
func pathOf(names ...string) fieldpath.Path {
	var out fieldpath.Path
	for _, name := range names {
		out = append(out, fieldpath.PathElement{FieldName: &name})
	}
	return out
}

// pathBelow is a path with more elements; it shares nothing with p.
func pathBelow(p fieldpath.Path, more ...fieldpath.PathElement) fieldpath.Path {
	return slices.Concat(p, more)
}

// itemNamed identifies an item of a list by its name.
func itemNamed(name string) fieldpath.PathElement {
	return fieldpath.PathElement{Key: &value.FieldList{{Name: "name", Value: value.NewValueInterface(name)}}}
}

// valueAt is the value at a path of field names and of items by their keys; nil
// if there is none.
func valueAt(v any, p fieldpath.Path) any {
	for _, e := range p {
		switch v2 := v.(type) {
		case map[string]any:
			if e.FieldName == nil {
				return nil
			}
			v = v2[*e.FieldName]
		case []any:
			i := indexOf(v2, e)
			if i < 0 {
				return nil
			}
			v = v2[i]
		default:
			return nil
		}
	}
	return v
}

// indexOf is the index of the item that a path element identifies by its keys or
// its value; -1 if there is none. A key that an item lacks has its default, and
// matches any value.
func indexOf(list []any, e fieldpath.PathElement) int {
	return slices.IndexFunc(list, func(item any) bool {
		if e.Value != nil {
			return value.Equals(value.NewValueInterface(item), *e.Value)
		}
		m, ok := item.(map[string]any)
		return ok && e.Key != nil && !slices.ContainsFunc(*e.Key, func(k value.Field) bool {
			v, has := m[k.Name]
			return has && !value.Equals(value.NewValueInterface(v), k.Value)
		})
	})
}

// putAt replaces the field at a path, or removes it where the value is nil; false
// if the mapping that would hold it does not exist.
func putAt(object any, p fieldpath.Path, value any) bool {
	last := p[len(p)-1].FieldName
	m, ok := valueAt(object, p[:len(p)-1]).(map[string]any)
	if !ok || last == nil {
		return false
	}
	if value == nil {
		delete(m, *last)
	} else {
		m[*last] = value
	}
	return true
}

// nameOf is the name of a list item; empty if it has none.
func nameOf(v any) string {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	return name
}
