package engine

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/diff"
)

// emptied finds what an apply removes although it is desired: a mapping that
// desired empties is removed along with what it held, and so are a list of a
// custom resource and what becomes null; the next apply adds it.
type emptied struct {
	object diff.Object
	schema diff.Schema // says by which fields items of lists are the same; nil: diff's own
}

// lacks reports whether have, which has become of before by an apply of desired,
// lacks any of that.
func (e emptied) lacks(desired, before, have any) bool {
	_, changed := e.in(nil, desired, before, have)
	return changed
}

// in is have with what it lacks at a path, and whether that is anything. have is
// not changed.
func (e emptied) in(path []string, desired, before, have any) (out any, changed bool) {
	switch desired := desired.(type) {
	case map[string]any:
		return e.inMap(path, desired, before, have)
	case []any:
		return e.inList(path, desired, before, have)
	}
	return have, false
}

func (e emptied) inMap(path []string, desired map[string]any, before, have any) (out any, changed bool) {
	h, ok := have.(map[string]any)
	b, was := before.(map[string]any)
	if !ok || !was {
		return have, false
	}
	for key, want := range desired {
		wanted, isMap := want.(map[string]any)
		old, _ := b[key].(map[string]any)
		_, there := h[key]
		switch {
		case isMap && len(old) > 0 && h[key] == nil: // all of it that is desired may be empty
			h, changed = cloned(h), true
			h[key] = runtime.DeepCopyJSON(wanted)
			continue
		case e.emptiesList(want, b[key]) && h[key] == nil:
			h, changed = cloned(h), true
			h[key] = []any{}
			continue
		case want == nil && b[key] != nil && !there:
			h, changed = cloned(h), true
			h[key] = nil
			continue
		}
		if below, differs := e.in(append(path[:len(path):len(path)], key), want, b[key], h[key]); differs {
			h, changed = cloned(h), true
			h[key] = below
		}
	}
	return h, changed
}

// emptiesList reports whether a list with items becomes an empty one that the API
// server keeps, as it does in custom resources.
func (e emptied) emptiesList(want, before any) bool {
	list, isList := want.([]any)
	old, _ := before.([]any)
	return isList && len(list) == 0 && len(old) > 0 && !diff.IsBuiltinGroup(e.object.Group)
}

// inList matches items by the fields that identify them, or by their place,
// where the lists are equally long.
func (e emptied) inList(path []string, desired []any, before, have any) (out any, changed bool) {
	h, ok := have.([]any)
	b, was := before.([]any)
	if !ok || !was {
		return have, false
	}
	schema := e.schema
	if schema == nil {
		schema = diff.Builtin()
	}
	node := schema.Node(e.object, path)
	if len(node.Keys) == 0 && (len(h) != len(desired) || len(b) != len(desired)) {
		return have, false
	}
	path = append(path[:len(path):len(path)], "[]")
	for i, want := range desired {
		atH, atB := i, i
		if id := itemID(node, want); id != "" {
			same := func(item any) bool { return itemID(node, item) == id }
			atH, atB = slices.IndexFunc(h, same), slices.IndexFunc(b, same)
		}
		if atH < 0 || atB < 0 || atH >= len(h) || atB >= len(b) {
			continue
		}
		if below, differs := e.in(path, want, b[atB], h[atH]); differs {
			h, changed = slices.Clone(h), true
			h[atH] = below
		}
	}
	return h, changed
}

// itemID identifies an item of a list by its keys; empty: it has none.
func itemID(node diff.Node, item any) string {
	m, ok := item.(map[string]any)
	if !ok || len(node.Keys) == 0 {
		return ""
	}
	var b strings.Builder
	for _, key := range node.Keys {
		v := m[key]
		if v == nil {
			v = node.Defaults[key]
		}
		fmt.Fprintf(&b, "%v\x00", v)
	}
	return b.String()
}
