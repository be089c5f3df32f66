package chartfile

import (
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// enable leaves a chart with the subcharts that the values enable, under their
// aliases. Its rules are those of Helm's function ProcessDependencies: a
// requirement whose version fits no chart has none, conditions come over tags,
// and what a chart below sees is the values of all those above.
func enable(c *chart.Chart, values map[string]any, path string) error {
	requirements := c.Metadata.Dependencies
	if requirements == nil {
		return nil
	}
	c.SetDependencies(named(c.Dependencies(), requirements)...)
	cvals := copyMap(values)
	if err := coalesce(c, cvals, false); err != nil {
		return err
	}
	disabled := map[string]bool{}
	for _, r := range requirements {
		if r.Alias != "" {
			r.Name = r.Alias
		}
		r.Enabled = byCondition(r, cvals, path, byTags(r, cvals))
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
		if err := enable(sub, cvals, path+sub.Name()+"."); err != nil {
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
	return nil
}

// named lists the subcharts that no requirement is about, then one for each
// requirement that has one, under its alias.
func named(subcharts []*chart.Chart, requirements []*chart.Dependency) []*chart.Chart {
	fits := func(sub *chart.Chart, r *chart.Dependency) bool {
		return sub.Name() == r.Name && chartutil.IsCompatibleRange(r.Version, sub.Metadata.Version)
	}
	var out []*chart.Chart
	for _, sub := range subcharts {
		if !slices.ContainsFunc(requirements, func(r *chart.Dependency) bool { return fits(sub, r) }) {
			out = append(out, sub)
		}
	}
	for _, r := range requirements {
		for _, sub := range subcharts {
			if !fits(sub, r) {
				continue
			}
			as, metadata := *sub, *sub.Metadata
			as.Metadata = &metadata
			if r.Alias != "" {
				metadata.Name = r.Alias
			}
			out = append(out, &as)
			break
		}
	}
	return out
}

// byTags says whether tags let a requirement be: one that is true is enough.
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

// byCondition gives the first condition that is a boolean, or else what was
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

// importValues gives each chart, the lowest first, what it imports from its
// subcharts, and theirs below their names.
func importValues(c *chart.Chart) error {
	for _, sub := range c.Dependencies() {
		if err := importValues(sub); err != nil {
			return err
		}
	}
	if c.Metadata.Dependencies == nil {
		return nil
	}
	merged := map[string]any{}
	if err := coalesce(c, merged, true); err != nil {
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
			if table, err := chartutil.Values(merged).Table(from.Sub + "." + from.Child); err == nil {
				imported = chartutil.MergeTables(imported, at(from.Parent, table))
			}
		}
		r.ImportValues = clean
	}
	if len(imported) == 0 {
		c.Values = merged
		return nil
	}
	// What was imported has tables of the merged values in it.
	c.Values = chartutil.MergeTables(copyMap(merged), imported)
	return nil
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
