package chartfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
)

// keySet are keys of values.
type keySet map[string]bool

// decidingKeys returns, for a chart and each of its subcharts, the keys of which
// all paths consist that decide which of its subcharts are enabled, and whether
// values can be combined at all: the subcharts' names and aliases, conditions,
// tags, globals. Their number is that of what Chart.yaml files write, not that
// of the paths: a chart that has a subchart under ten aliases, which has one
// under ten aliases again, has a hundred of those.
func decidingKeys(root *chart.Chart, m *Meter) map[*chart.Chart]keySet {
	all := map[*chart.Chart]keySet{}
	var visit func(c *chart.Chart) keySet
	visit = func(c *chart.Chart) keySet {
		keys := keySet{globalKey: true, "tags": true}
		for _, d := range c.Metadata.Dependencies {
			addPath(keys, d.Name)
			addPath(keys, d.Alias)
			for condition := range strings.SplitSeq(strings.TrimSpace(d.Condition), ",") {
				addPath(keys, condition)
			}
			for _, tag := range d.Tags {
				keys[tag] = true
			}
		}
		for _, sub := range c.Dependencies() {
			addPath(keys, sub.Name())
			below := visit(sub)
			if !m.step(len(below)) {
				break
			}
			maps.Copy(keys, below)
		}
		all[c] = keys
		return keys
	}
	visit(root)
	return all
}

// addPath adds a path and each of its keys: a name with a dot is one key where
// values are combined, and two in the path of a condition.
func addPath(keys keySet, path string) {
	if path == "" {
		return
	}
	keys[path] = true
	for key := range strings.SplitSeq(path, ".") {
		keys[key] = true
	}
}

// decision writes what the values have under the keys: booleans as they are, of
// everything else whether it is a table. Equal decisions make equal instances.
func decision(values map[string]any, keys keySet, m *Meter) string {
	var b strings.Builder
	var visit func(values map[string]any)
	visit = func(values map[string]any) {
		var has []string
		if len(keys) < len(values) {
			for key := range keys {
				if _, ok := values[key]; ok {
					has = append(has, key)
				}
			}
		} else {
			for key := range values {
				if keys[key] {
					has = append(has, key)
				}
			}
		}
		if !m.step(min(len(keys), len(values))) {
			return
		}
		slices.Sort(has)
		for _, key := range has {
			fmt.Fprintf(&b, "%q", key)
			switch v := values[key].(type) {
			case map[string]any:
				b.WriteByte('{')
				visit(v)
				b.WriteByte('}')
			case bool:
				b.WriteString(strconv.FormatBool(v))
			default:
				fmt.Fprintf(&b, "%T", v)
			}
		}
	}
	visit(values)
	return b.String()
}
