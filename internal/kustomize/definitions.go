package kustomize

import (
	"encoding/json"

	sigsyaml "sigs.k8s.io/yaml"
)

// definition is what kustomize follows in a file of crds: references from
// properties to other definitions of the file.
type definition struct {
	Schema struct {
		Properties map[string]struct {
			Ref string `json:"$ref"`
		} `json:"properties"`
	}
}

// definitions returns how many properties kustomize visits in a file of crds. It
// follows each reference every time, so that shared ones multiply and those in a circle
// never end.
func definitions(text []byte) int64 {
	if data, err := sigsyaml.YAMLToJSON(text); err == nil {
		text = data
	}
	var all map[string]definition
	if json.Unmarshal(text, &all) != nil {
		return 0 // kustomize says so
	}
	d := definitionPaths{all: all, known: map[string]int64{}}
	sum := int64(0)
	for name := range all {
		sum = plus(sum, d.paths(name, 0))
	}
	return sum
}

type definitionPaths struct {
	all   map[string]definition
	known map[string]int64
}

// maxReferences is how deep references may nest: kustomize follows them by
// recursion.
const maxReferences = 1000

func (d definitionPaths) paths(name string, depth int) int64 {
	if n, ok := d.known[name]; ok {
		return n
	}
	if depth > maxReferences {
		return endless
	}
	d.known[name] = endless // while it is open
	n := int64(0)
	for _, property := range d.all[name].Schema.Properties {
		n = plus(n, 1)
		if property.Ref != "" {
			n = plus(n, d.paths(property.Ref, depth+1))
		}
	}
	d.known[name] = n
	return n
}
