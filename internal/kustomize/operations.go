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
		one := replacement{key: from[len(from)-1], paths: [][]string{pointer(o.Path)}}
		if target != nil && plainKind.MatchString(target.Kind) {
			one.kind = target.Kind
		}
		list = append(list, one)
	}
	return list
}

// pointer splits a JSON pointer.
func pointer(text string) []string {
	parts := strings.Split(strings.TrimPrefix(text, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return parts
}
