package render

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// origins knows the layers of values. The index of a layer is made when it is
// first asked for.
type origins struct {
	layers []*layerOrigins
}

type layerOrigins struct {
	name, file string
	set        chartfile.SetKind // of a set expression
	// merges says that lists merge item by item into what is below, as with
	// --set.
	merges bool
	layer  Layer

	once  sync.Once
	nodes map[string]place
}

// place is where a layer has a value.
type place struct {
	Line int `json:"line,omitempty"`
	// Leaf is a value without values below it: it hides all below it in the
	// layers under it.
	Leaf bool `json:"leaf,omitempty"`
	List bool `json:"list,omitempty"`
	// Set is the path of the set expression that the value came by; empty in
	// other layers, and for an expression of one path.
	Set string `json:"set,omitempty"`
}

func (o *origins) add(l Layer) {
	if l.kind == layerValues {
		if known := l.content.get().origins; known != nil {
			o.layers = append(o.layers, known.layers...)
		}
		return
	}
	lo := &layerOrigins{name: l.name, merges: l.kind == layerSet, set: l.set, layer: l}
	if l.kind == layerFile {
		lo.file = l.name
	}
	o.layers = append(o.layers, lo)
}

// Origin returns which layer gave the value at a path: "service.port",
// "hosts[0].name"; a literal dot or bracket in a key has a backslash before it.
// For a map that several layers make up it is the last one that has a part in
// it. It is false for a path that no layer has: the chart's own values are not
// among them, see [Chart.Origin].
func (v Values) Origin(path string) (Origin, bool) {
	if v.origins == nil {
		return Origin{}, false
	}
	var candidates []layerPath
	for i := len(v.origins.layers) - 1; i >= 0; i-- {
		candidates = append(candidates, layerPath{v.origins.layers[i], path})
	}
	return originOf(candidates)
}

// hides says whether the layer, which lacks the path, has something above it
// that leaves nothing of the layers below.
func (l *layerOrigins) hides(nodes map[string]place, parents []string) bool {
	for _, parent := range parents {
		if p, ok := nodes[parent]; ok && (p.Leaf || p.List && !l.merges) {
			return true
		}
	}
	return false
}

func (l *layerOrigins) index() map[string]place {
	l.once.Do(func() {
		if l.nodes != nil {
			return
		}
		l.nodes = map[string]place{}
		switch l.layer.kind {
		case layerMap:
			l.indexValue(l.layer.content.get().m, "")
		case layerSet:
			m := map[string]any{}
			none := func(string) ([]byte, error) { return nil, nil }
			if err := chartfile.ApplySet(l.layer.set, string(l.layer.content.get().text), m, none); err == nil {
				l.indexValue(m, "")
				l.addSetPaths(chartfile.SetPaths(l.layer.set, string(l.layer.content.get().text)))
			}
		default:
			var doc yaml.Node
			if err := (yamlread.Decoder{}).Check(l.layer.content.get().text); err != nil {
				break // the values themselves were refused
			}
			if err := yaml.Unmarshal(l.layer.content.get().text, &doc); err == nil && len(doc.Content) == 1 {
				budget := maxIndexed
				l.indexNode(doc.Content[0], "", &budget)
			}
		}
		l.layer = Layer{}
	})
	return l.nodes
}

// addSetPaths adds to each value of a set expression the last of its paths that
// gave the value, or a part of it.
func (l *layerOrigins) addSetPaths(paths []string) {
	if len(paths) < 2 {
		return
	}
	itself, below := map[string]string{}, map[string]string{}
	for _, written := range paths {
		if hidesPath(written) {
			continue
		}
		path := normalPath(written)
		itself[path] = written
		for _, parent := range parentPaths(path) {
			below[parent] = written
		}
	}
	for path, p := range l.nodes {
		for _, at := range append([]string{path}, parentPaths(path)...) {
			if p.Set = itself[at]; p.Set != "" {
				break
			}
		}
		if p.Set == "" {
			p.Set = below[path]
		}
		l.nodes[path] = p
	}
}

// normalPath is a path of a set expression as origins have it: with a backslash only
// where it is needed.
func normalPath(written string) string {
	var b strings.Builder
	for i := 0; i < len(written); i++ {
		if written[i] == '\\' && i+1 < len(written) {
			i++
			b.WriteString(escapeKey(written[i : i+1]))
			continue
		}
		b.WriteByte(written[i])
	}
	return b.String()
}

// maxIndexed bounds what the index of a layer takes: for each node, aliases
// expanded, the bytes of its path and what a place takes. Values beyond it have
// no origin.
const (
	maxIndexed   = 64 << 20
	indexedPlace = 100
)

func (l *layerOrigins) indexValue(v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		l.put(path, place{})
		for k, item := range v {
			l.indexValue(item, joinKey(path, k))
		}
	case []any:
		l.put(path, place{List: true})
		for i, item := range v {
			if item == nil && l.merges {
				continue
			}
			l.indexValue(item, joinIndex(path, i))
		}
	default:
		l.put(path, place{Leaf: true})
	}
}

func (l *layerOrigins) indexNode(n *yaml.Node, path string, budget *int) {
	if *budget -= len(path) + indexedPlace; *budget < 0 {
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		l.indexNode(n.Alias, path, budget)
	case yaml.MappingNode:
		l.put(path, place{Line: n.Line})
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Tag == "!!merge" {
				l.indexMerged(value, path, budget)
				continue
			}
			child := joinKey(path, key.Value)
			l.indexNode(value, child, budget)
			if p, ok := l.nodes[child]; ok {
				p.Line = key.Line
				l.nodes[child] = p
			}
		}
	case yaml.SequenceNode:
		l.put(path, place{Line: n.Line, List: true})
		for i, item := range n.Content {
			l.indexNode(item, joinIndex(path, i), budget)
		}
	default:
		l.put(path, place{Line: n.Line, Leaf: true})
	}
}

// indexMerged takes in what << brings; keys of the mapping itself come over it,
// wherever they stand, because only missing places are set.
func (l *layerOrigins) indexMerged(n *yaml.Node, path string, budget *int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			if *budget > 0 {
				l.indexMerged(item, path, budget)
			}
		}
		return
	}
	before := l.nodes
	l.nodes = map[string]place{}
	l.indexNode(n, path, budget)
	merged := l.nodes
	l.nodes = before
	for p, at := range merged {
		if _, ok := l.nodes[p]; !ok {
			l.nodes[p] = at
		}
	}
}

func (l *layerOrigins) put(path string, p place) {
	if path != "" {
		l.nodes[path] = p
	}
}

var keyEscaper = strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, "]", `\]`)

func escapeKey(key string) string { return keyEscaper.Replace(key) }

func joinKey(path, key string) string {
	if path == "" {
		return escapeKey(key)
	}
	return path + "." + escapeKey(key)
}

func joinIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parentPaths lists the paths above a path, the nearest first.
func parentPaths(path string) []string {
	var parents []string
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			i++
		case '.', '[':
			if i > 0 {
				parents = append(parents, path[:i])
			}
		}
	}
	for i, j := 0, len(parents)-1; i < j; i, j = i+1, j-1 {
		parents[i], parents[j] = parents[j], parents[i]
	}
	return parents
}

type valuesJSON struct {
	Values map[string]any `json:"values"`
	Layers []layerJSON    `json:"layers,omitempty"`
}

type layerJSON struct {
	Name   string           `json:"name"`
	File   string           `json:"file,omitempty"`
	Merges bool             `json:"merges,omitempty"`
	Set    string           `json:"set,omitempty"`
	Nodes  map[string]place `json:"nodes,omitempty"`
}

// MarshalJSON writes the values and where each came from.
func (v Values) MarshalJSON() ([]byte, error) {
	if v.data == nil {
		return []byte("null"), nil
	}
	j := valuesJSON{Values: encodeNumbers(v.merged()).(map[string]any)}
	if v.origins != nil {
		for _, l := range v.origins.layers {
			j.Layers = append(j.Layers, layerJSON{Name: l.name, File: l.file, Merges: l.merges, Set: string(l.set), Nodes: l.index()})
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Values) UnmarshalJSON(data []byte) error {
	var j struct {
		Values json.RawMessage `json:"values"`
		Layers []layerJSON     `json:"layers"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*v = Values{}
	if len(j.Values) == 0 || string(j.Values) == "null" {
		return nil
	}
	var merged map[string]any
	if err := decodeJSON(j.Values, &merged); err != nil {
		return err
	}
	v.data = hide(merged)
	v.origins = &origins{}
	for _, l := range j.Layers {
		if l.Nodes == nil {
			l.Nodes = map[string]place{}
		}
		v.origins.layers = append(v.origins.layers, &layerOrigins{name: l.Name, file: l.File, merges: l.Merges, set: chartfile.SetKind(l.Set), nodes: l.Nodes})
	}
	return nil
}
