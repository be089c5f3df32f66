package kustomize

import (
	"bytes"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// values are what the objects of a kustomization have, as far as replacements and
// variables multiply it.
type values struct {
	byKey      map[string]yamlread.Size // the largest value under each key
	largest    yamlread.Size            // value of all
	kinds      map[string]int64         // objects of each kind
	references int64                    // to variables, in all texts
	anyKind    bool                     // a patch may change kinds
}

func newValues() *values {
	return &values{byKey: map[string]yamlread.Size{}, kinds: map[string]int64{}}
}

// clone returns a copy, to add rendered objects to.
func (v *values) clone() *values {
	own := *v
	own.byKey, own.kinds = map[string]yamlread.Size{}, map[string]int64{}
	for key, size := range v.byKey {
		own.byKey[key] = size
	}
	for kind, n := range v.kinds {
		own.kinds[kind] = n
	}
	return &own
}

func larger(a, b yamlread.Size) yamlread.Size {
	return yamlread.Size{Nodes: max(a.Nodes, b.Nodes), Bytes: max(a.Bytes, b.Bytes)}
}

func (v *values) put(key string, size yamlread.Size) {
	v.byKey[key] = larger(v.byKey[key], size)
	v.largest = larger(v.largest, size)
}

// text takes what a text refers to.
func (v *values) text(text []byte) {
	v.references = plus(v.references, int64(bytes.Count(text, []byte("$("))))
}

// object takes one object or patch, and those in a list.
func (v *values) object(n *kyaml.RNode) yamlread.Size {
	size := yamlread.SizesByKey(n.YNode(), v.put)
	v.largest = larger(v.largest, size)
	v.kind(n)
	return size
}

func (v *values) kind(n *kyaml.RNode) {
	if n.YNode().Kind != kyaml.MappingNode {
		return // operations of a patch
	}
	items := n.Field("items")
	if items == nil {
		v.kinds[n.GetKind()]++
		return
	}
	elements, err := items.Value.Elements()
	if err != nil {
		return // kustomize says so
	}
	for _, element := range elements {
		v.kind(element)
	}
}

// of returns the size of a value that is found by a key; the largest of all for
// one that is not known.
func (v *values) of(key string) yamlread.Size {
	if size, ok := v.byKey[key]; ok {
		return size
	}
	return v.largest
}

// generated takes the settings of a generator.
func (v *visitor) generated(kind string, g *types.GeneratorArgs) {
	put := func(key string, n int) { v.values.put(key, yamlread.Size{Nodes: 1, Bytes: int64(n)}) }
	v.values.kinds[kind]++
	for _, literal := range g.LiteralSources {
		key, value, _ := strings.Cut(literal, "=")
		put(key, len(value))
		v.values.text([]byte(value))
	}
	for _, source := range g.FileSources {
		key, ref, named := strings.Cut(source, "=")
		if !named {
			key, ref = path.Base(source), source
		}
		data := v.files[path.Join(v.at.dir, ref)]
		put(key, len(data))
		v.values.text(data)
	}
	for _, source := range g.EnvSources {
		for line := range bytes.Lines(v.files[path.Join(v.at.dir, source)]) {
			key, value, _ := strings.Cut(string(line), "=")
			put(strings.TrimSpace(key), len(value))
			v.values.text(line)
		}
	}
}
