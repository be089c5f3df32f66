package chartfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
)

// instances keeps the instances of a chart by that part of the values on which
// they depend: which subcharts are enabled is decided by few of them.
type instances struct {
	once  sync.Once
	paths [][]string // what decides

	mu    sync.Mutex
	known map[string]*Instance
}

// maxInstances bounds how many are kept. A chart with ten optional subcharts has
// a thousand, but no user renders them all.
const maxInstances = 32

func (n *instances) of(root *chart.Chart, values map[string]any) (*Instance, error) {
	n.once.Do(func() { n.paths = deciding(root) })
	var b strings.Builder
	for _, path := range n.paths {
		writeDecision(&b, values, path)
	}
	key := b.String()
	n.mu.Lock()
	i := n.known[key]
	n.mu.Unlock()
	if i != nil {
		return i, nil
	}
	i, err := newInstance(root, values)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= maxInstances {
		n.known = map[string]*Instance{}
	}
	if other := n.known[key]; other != nil {
		return other, nil // the same instance for all, with what it has compiled
	}
	n.known[key] = i
	return i, nil
}

// deciding lists the paths of values that decide which subcharts there are, and
// whether their values can be combined at all: tags, conditions, the subcharts'
// own names. What reaches a subchart as a global is decided by the global above
// it too.
func deciding(root *chart.Chart) [][]string {
	found := map[string]bool{}
	add := func(path string) {
		found[path] = true
		parts := strings.Split(path, ".")
		for i := range parts {
			if parts[i] != globalKey {
				continue
			}
			for above := range i {
				found[strings.Join(slices.Concat(parts[:above], parts[i:]), ".")] = true
			}
		}
	}
	var visit func(c *chart.Chart, prefix string)
	visit = func(c *chart.Chart, prefix string) {
		names := map[string][]string{}
		for _, sub := range c.Dependencies() {
			names[sub.Name()] = []string{sub.Name()}
		}
		for _, d := range c.Metadata.Dependencies {
			for condition := range strings.SplitSeq(strings.TrimSpace(d.Condition), ",") {
				if condition != "" {
					add(prefix + condition)
				}
			}
			for _, tag := range d.Tags {
				add("tags." + tag)
			}
			if d.Alias != "" {
				names[d.Name] = append(names[d.Name], d.Alias)
			}
		}
		for _, sub := range c.Dependencies() {
			for _, name := range names[sub.Name()] {
				add(prefix + name)
				visit(sub, prefix+name+".")
			}
		}
	}
	visit(root, "")
	var paths [][]string
	for _, path := range slices.Sorted(maps.Keys(found)) {
		paths = append(paths, strings.Split(path, "."))
	}
	return paths
}

// writeDecision writes what the values have on the way along the path.
func writeDecision(b *strings.Builder, values map[string]any, path []string) {
	for _, key := range path {
		v, ok := values[key]
		if !ok {
			break
		}
		m, isTable := v.(map[string]any)
		if isTable {
			b.WriteByte('{')
			values = m
			continue
		}
		if flag, ok := v.(bool); ok {
			b.WriteString(strconv.FormatBool(flag))
		} else {
			fmt.Fprintf(b, "%T", v)
		}
		break
	}
	b.WriteByte(';')
}
