package kustomize

import (
	"bytes"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// copies lists what the operations of a JSON patch copy within an object, as
// replacements in all objects that the patch may be for.
func copies(text []byte, target *types.Selector) (list []replacement) {
	if !bytes.Contains(text, []byte("copy")) {
		return nil
	}
	var operations []struct {
		Op, From, Path string
	}
	if yaml.Unmarshal(text, &operations) != nil {
		return nil // no JSON patch
	}
	for _, o := range operations {
		if o.Op != "copy" {
			continue
		}
		from := pointer(o.From)
		list = append(list, replacement{key: from[len(from)-1], kind: kindOf(target), paths: [][]string{pointer(o.Path)}})
	}
	return list
}

// targeted is what a patch may add to each object of a kind, of all objects where
// that is "".
type targeted struct {
	kind string
	each weight
}

// patched returns what patches add at most to so much.
func (v *values) patched(all []targeted, to weight) (added weight) {
	for _, t := range all {
		n := v.count(t.kind, to.objects)
		added.nodes = plus(added.nodes, times(t.each.nodes, n))
		added.bytes = plus(added.bytes, times(t.each.bytes, n))
		added.visits = plus(added.visits, times(times(times(t.each.items, n), to.longest), stepsPerItem))
	}
	return added
}

// pointer splits a JSON pointer.
func pointer(text string) []string {
	parts := strings.Split(strings.TrimPrefix(text, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return parts
}
