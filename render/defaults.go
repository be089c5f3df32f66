package render

import (
	"context"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// Origin returns where the value at a path comes from when the chart is rendered
// with the values: one of their layers, or else the values.yaml of the chart or
// of a subchart, under the path at which the top chart's templates see it. What
// a subchart sees as a global comes from the charts above it, and what a chart
// imports from its subcharts from theirs. Overrode ends with the values that the
// charts themselves would have given. It is false for a path that nothing has.
func (c *Chart) Origin(v Values, path string) (Origin, bool) {
	instance, err := c.parsed.Instance(v.merged(), chartfile.Helm3, DefaultLimits().meter(context.Background(), nil))
	if err != nil {
		return v.Origin(path)
	}
	root := &chartLayers{defaults: instance.Defaults()}
	if v.origins != nil {
		for i := len(v.origins.layers) - 1; i >= 0; i-- {
			root.above = append(root.above, layerPath{v.origins.layers[i], ""})
		}
	}
	steps := maxOriginSteps
	return originOf(c.candidates(root, path, &steps))
}

// chartLayers is a chart in the tree of an instance, with the layers that can
// set its values from above, the strongest first.
type chartLayers struct {
	defaults *chartfile.Defaults
	parent   *chartLayers
	above    []layerPath
}

// layerPath is a path in a layer.
type layerPath struct {
	layer *layerOrigins
	path  string
}

// maxOriginSteps bounds the way of a value through imports and globals, which
// may go round in circles.
const maxOriginSteps = 100

// candidates lists where a value of a chart may come from, the strongest first.
func (c *Chart) candidates(n *chartLayers, path string, steps *int) []layerPath {
	if *steps--; *steps < 0 {
		return nil
	}
	key, rest := cutKey(path)
	if sub, ok := n.defaults.Subs[key]; ok && rest != "" && rest[0] != '[' {
		child := &chartLayers{defaults: sub, parent: n}
		for _, p := range append(n.above, layerPath{c.valuesFile(n.defaults), ""}) {
			child.above = append(child.above, layerPath{p.layer, joinPath(p.path, escapeKey(key))})
		}
		return c.candidates(child, rest, steps)
	}
	var found []layerPath
	if key == "global" && n.parent != nil {
		found = c.candidates(n.parent, path, steps)
	}
	for _, p := range append(n.above, layerPath{c.valuesFile(n.defaults), ""}) {
		found = append(found, layerPath{p.layer, joinPath(p.path, path)})
	}
	for _, i := range n.defaults.Imports {
		below, ok := strings.CutPrefix(path, i.Parent+".")
		switch {
		case i.Parent == ".":
			below, ok = path, true
		case path == i.Parent:
			below, ok = "", true
		}
		if ok && n.defaults.Subs[i.Sub] != nil {
			from := joinPath(joinPath(escapeKey(i.Sub), i.Child), below)
			found = append(found, c.candidates(&chartLayers{defaults: n.defaults}, from, steps)...)
		}
	}
	return found
}

// valuesFile is a chart's values.yaml as a layer.
func (c *Chart) valuesFile(d *chartfile.Defaults) *layerOrigins {
	if len(d.Text) == 0 {
		return &layerOrigins{}
	}
	type key struct {
		text  *byte
		chart string // one text serves several aliases
	}
	known, _ := c.defaults.LoadOrStore(key{&d.Text[0], d.Chart}, &layerOrigins{
		name: "chart " + d.Chart, file: d.Chart + "/values.yaml", layer: Layer{kind: layerYAML, content: hide(layerContent{text: d.Text})},
	})
	return known.(*layerOrigins)
}

// originOf is the first of the candidates that has the value, with those below
// it, down to one that hides what comes after.
func originOf(candidates []layerPath) (Origin, bool) {
	var found []Origin
	for _, c := range candidates {
		nodes := c.layer.index()
		if p, ok := nodes[c.path]; ok {
			found = append(found, Origin{Layer: c.layer.nameOf(p), File: c.layer.file, Line: p.Line})
			continue
		}
		if c.layer.hides(nodes, parentPaths(c.path)) {
			break
		}
	}
	if len(found) == 0 {
		return Origin{}, false
	}
	o := found[0]
	o.Overrode = found[1:]
	return o, true
}

// nameOf is the name of the layer for one of its values: for a set expression of
// several paths, with the one that gave it.
func (l *layerOrigins) nameOf(p place) string {
	if p.Set == "" {
		return l.name
	}
	return string(l.set) + " " + shorten(p.Set, maxSetPath)
}

// cutKey cuts the first key off a path.
func cutKey(path string) (key, rest string) {
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			i++
		case '.':
			return unescapeKey(path[:i]), path[i+1:]
		case '[':
			return unescapeKey(path[:i]), path[i:]
		}
	}
	return unescapeKey(path), ""
}

func unescapeKey(key string) string {
	if !strings.Contains(key, `\`) {
		return key
	}
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		if key[i] == '\\' && i+1 < len(key) {
			i++
		}
		b.WriteByte(key[i])
	}
	return b.String()
}

func joinPath(above, path string) string {
	switch {
	case above == "":
		return path
	case path == "" || path[0] == '[':
		return above + path
	}
	return above + "." + path
}
