package chartfile

import (
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
)

// Defaults are a chart's own values as they stand in its files, and those of the
// subcharts that an instance has.
type Defaults struct {
	Chart string // its full path, "shop/charts/store"
	Text  []byte // of values.yaml; nil if there is none
	Subs  map[string]*Defaults
	// Imports are the values that the chart takes over from its subcharts.
	Imports []Import
}

// Import is an entry of import-values: a path below a subchart's values, and the
// path where the chart has it, "." for the top.
type Import struct{ Sub, Child, Parent string }

// Defaults gives the tree of the charts' own values.
func (i *Instance) Defaults() *Defaults { return defaultsOf(i.root) }

func defaultsOf(c *chart.Chart) *Defaults {
	d := &Defaults{Chart: c.ChartFullPath(), Subs: map[string]*Defaults{}}
	for _, f := range c.Raw {
		if f.Name == "values.yaml" {
			d.Text = f.Data
		}
	}
	for _, sub := range c.Dependencies() {
		d.Subs[sub.Name()] = defaultsOf(sub)
	}
	for _, dependency := range c.Metadata.Dependencies {
		for _, imported := range dependency.ImportValues {
			// Processing has written them all in this form.
			if m, ok := imported.(map[string]string); ok {
				d.Imports = append(d.Imports, Import{Sub: dependency.Name, Child: m["child"], Parent: m["parent"]})
			} else if m, ok := imported.(map[string]any); ok {
				d.Imports = append(d.Imports, Import{Sub: dependency.Name, Child: fmt.Sprint(m["child"]), Parent: fmt.Sprint(m["parent"])})
			}
		}
	}
	return d
}
