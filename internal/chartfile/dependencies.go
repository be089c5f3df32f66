package chartfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// processing enables the subcharts of one instance and imports their values.
type processing struct {
	meter *Meter
	as    Helm
	keys  map[*chart.Chart]keySet // of each chart, what decides about its subcharts
}

// enable leaves a chart with the subcharts that the values enable, under their
// aliases. Path is the names of the charts above it and its own. The rules are
// those of Helm's function ProcessDependencies: a requirement whose version fits
// no chart has none, conditions come over tags, and what a subchart sees is the
// values of all charts above it.
//
// Helm copies all values once a chart with requirements. Here only those are
// copied that decide about the chart's own subcharts.
func (p *processing) enable(c *chart.Chart, values map[string]any, path []string) error {
	requirements := c.Metadata.Dependencies
	if requirements == nil {
		return nil
	}
	c.SetDependencies(p.named(c.Dependencies(), requirements)...)
	keys := maps.Clone(p.keys[c])
	prefix := ""
	for _, name := range path {
		addPath(keys, name)
		prefix += name + "."
	}
	if !p.meter.step(len(keys)) {
		return p.meter.err
	}
	coalescer := coalescer{meter: p.meter, charge: p.meter.step, only: keys}
	cvals := coalescer.copyMap(values)
	if err := coalescer.coalesce(c, cvals, false); err != nil {
		return err
	}
	disabled := map[string]bool{}
	for _, r := range requirements {
		if r.Alias != "" {
			r.Name = r.Alias
		}
		r.Enabled = byCondition(r, cvals, prefix, byTags(r, cvals))
	}
	for _, r := range requirements {
		if !r.Enabled {
			disabled[r.Name] = true
		}
	}
	var subcharts []*chart.Chart
	for _, sub := range c.Dependencies() {
		if !disabled[sub.Name()] {
			subcharts = append(subcharts, sub)
		}
	}
	for _, sub := range subcharts {
		if err := p.enable(sub, cvals, append(slices.Clip(path), sub.Name())); err != nil {
			return err
		}
	}
	var left []*chart.Dependency
	for _, r := range requirements {
		if !disabled[r.Name] {
			left = append(left, r)
		}
	}
	c.Metadata.Dependencies = left
	c.SetDependencies(subcharts...)
	return p.meter.err
}

// subchartSteps is what a further copy of a subchart costs.
const subchartSteps = 100

// named lists the subcharts that no requirement is about, then one for each
// requirement that has one, under its alias.
func (p *processing) named(subcharts []*chart.Chart, requirements []*chart.Dependency) []*chart.Chart {
	byName := map[string][]*chart.Chart{}
	for _, sub := range subcharts {
		byName[sub.Name()] = append(byName[sub.Name()], sub)
	}
	required := map[*chart.Chart]bool{}
	chosen := make([]*chart.Chart, len(requirements))
	for i, r := range requirements {
		for _, sub := range byName[r.Name] {
			if !p.meter.step(subchartSteps) {
				return nil
			}
			if !chartutil.IsCompatibleRange(r.Version, sub.Metadata.Version) {
				continue
			}
			required[sub] = true
			if chosen[i] == nil {
				chosen[i] = sub
			}
		}
	}
	var out []*chart.Chart
	for _, sub := range subcharts {
		if !required[sub] {
			out = append(out, sub)
		}
	}
	for i, sub := range chosen {
		if sub == nil || !p.meter.take(subchartEntries) {
			continue
		}
		copied := p.copied(sub)
		if copied == nil {
			return nil
		}
		if alias := requirements[i].Alias; alias != "" {
			copied.Metadata.Name = alias
		}
		out = append(out, copied)
	}
	return out
}

// copied is a subchart for one requirement: by the rules of Helm 4 with subcharts
// of its own, by those of Helm 3 with those that all copies share. Nil if that is
// too much.
func (p *processing) copied(sub *chart.Chart) *chart.Chart {
	if p.as == Helm4 {
		below := 0
		walk(sub, func(*chart.Chart) { below++ })
		if !p.meter.take(below * subchartEntries) {
			return nil
		}
		return p.clone(sub, p.keys)
	}
	shared, metadata := *sub, *sub.Metadata
	shared.Metadata = &metadata
	p.keys[&shared] = p.keys[sub]
	return &shared
}

// byTags reports whether tags enable a requirement: one that is true is enough.
func byTags(r *chart.Dependency, values chartutil.Values) bool {
	tags, err := values.Table("tags")
	if err != nil {
		return true
	}
	off := false
	for _, name := range r.Tags {
		if on, ok := tags[name].(bool); ok && on {
			return true
		} else if ok {
			off = true
		}
	}
	return !off
}

// byCondition returns the first condition that is a boolean, or else what was
// decided before.
func byCondition(r *chart.Dependency, values chartutil.Values, path string, before bool) bool {
	for condition := range strings.SplitSeq(strings.TrimSpace(r.Condition), ",") {
		if condition == "" {
			continue
		}
		if v, err := values.PathValue(path + condition); err == nil {
			if on, ok := v.(bool); ok {
				return on
			}
		}
	}
	return before
}

// importValues gives each chart, the innermost first, what it imports from its
// subcharts, and their values below their names.
func (p *processing) importValues(c *chart.Chart) error {
	for _, sub := range c.Dependencies() {
		if err := p.importValues(sub); err != nil {
			return err
		}
	}
	if c.Metadata.Dependencies == nil {
		return nil
	}
	coalescer := coalescer{meter: p.meter, charge: p.meter.take}
	merged := map[string]any{}
	if err := coalescer.coalesce(c, merged, true); err != nil {
		return err
	}
	imported := map[string]any{}
	for _, r := range c.Metadata.Dependencies {
		var clean []any
		for _, v := range r.ImportValues {
			from := Import{Sub: r.Name}
			switch v := v.(type) {
			case map[string]any:
				from.Child, from.Parent = fmt.Sprint(v["child"]), fmt.Sprint(v["parent"])
			case string:
				from.Child, from.Parent = "exports."+v, "."
			default:
				continue
			}
			clean = append(clean, map[string]string{"child": from.Child, "parent": from.Parent})
			if !p.meter.importDepth(strings.Count(from.Parent, ".")) {
				return p.meter.err
			}
			if table, err := chartutil.Values(merged).Table(from.Sub + "." + from.Child); err == nil {
				imported = p.mergeTables(imported, at(from.Parent, table))
			}
		}
		r.ImportValues = clean
	}
	if len(imported) == 0 {
		c.Values = merged
		return p.meter.err
	}
	// What was imported has tables of the merged values in it.
	c.Values = p.mergeTables(coalescer.copyMap(merged), imported)
	return p.meter.err
}

// mergeTables is Helm's function of that name: dst lacks nothing that src has
// afterwards, nothing is copied, and nulls of dst are written into src.
func (p *processing) mergeTables(dst, src map[string]any) map[string]any {
	if src == nil {
		return dst
	}
	if dst == nil {
		return src
	}
	if !p.meter.step(len(dst) + len(src)) {
		return dst
	}
	for key, v := range dst {
		if v == nil {
			src[key] = nil
		}
	}
	for key, v := range src {
		given, ok := dst[key]
		if !ok {
			if p.meter.take(1) {
				dst[key] = v
			}
			continue
		}
		inner, isTable := given.(map[string]any)
		below, hasTable := v.(map[string]any)
		if isTable && hasTable {
			p.mergeTables(inner, below)
		}
	}
	return dst
}

// at puts a table below a path.
func at(path string, table map[string]any) map[string]any {
	if path == "." {
		return table
	}
	keys := strings.Split(path, ".")
	for _, key := range slices.Backward(keys) {
		table = map[string]any{key: table}
	}
	return table
}
