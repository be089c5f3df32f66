package chartfile

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// Instance is a chart as one render sees it: without the subcharts that its
// values disable, under their aliases, and with what it imports from their
// values. Immutable.
type Instance struct {
	root *chart.Chart
	key  string
	as   Helm
}

// Helm is whose rules a chart is rendered by.
type Helm int

const (
	Helm3 Helm = 3
	Helm4 Helm = 4
)

// Instance returns the chart as the values make it.
func (c *Chart) Instance(values map[string]any, as Helm, m *Meter) (*Instance, error) {
	return c.instances.of(c.root, values, as, m)
}

// InstanceOver is Instance with other values in place of the chart's own; those
// of its subcharts stay. It is made for this call.
func (c *Chart) InstanceOver(own, values map[string]any, as Helm, m *Meter) (*Instance, error) {
	keys, err := c.instances.decidingKeys(c.root, m)
	if err != nil {
		return nil, err
	}
	root := *c.root
	root.Values = own
	keys = maps.Clone(keys)
	keys[&root] = keys[c.root]
	return newInstance(&root, values, as, keys, m)
}

func newInstance(from *chart.Chart, values map[string]any, as Helm, keys map[*chart.Chart]keySet, m *Meter) (i *Instance, err error) {
	defer recovered(&err)
	p := &processing{meter: m, as: as, keys: map[*chart.Chart]keySet{}}
	root := p.clone(from, keys)
	if err := p.enable(root, values, nil); err != nil {
		return nil, err
	}
	if err := p.importValues(root); err != nil {
		return nil, err
	}
	var size int64
	walk(root, func(c *chart.Chart) {
		for _, t := range templates(c) {
			size += int64(len(t.Data))
		}
	})
	if size > m.limits.ChartBytes {
		return nil, &LimitError{Limit: "ChartBytes", Max: m.limits.ChartBytes, Subject: "the templates of all enabled subcharts"}
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%d ", as)
	writeKey(&key, root)
	return &Instance{root: root, key: key.String(), as: as}, nil
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("this chart cannot be processed: %v", r)
	}
}

// clone copies what the processing of dependencies writes to.
func (p *processing) clone(c *chart.Chart, keys map[*chart.Chart]keySet) *chart.Chart {
	out := *c
	metadata := *c.Metadata
	metadata.Dependencies = nil
	for _, d := range c.Metadata.Dependencies {
		dependency := *d
		metadata.Dependencies = append(metadata.Dependencies, &dependency)
	}
	out.Metadata = &metadata
	subcharts := make([]*chart.Chart, len(c.Dependencies()))
	for i, sub := range c.Dependencies() {
		subcharts[i] = p.clone(sub, keys)
	}
	out.SetDependencies(subcharts...)
	p.keys[&out] = keys[c]
	return &out
}

func writeKey(b *strings.Builder, c *chart.Chart) {
	b.WriteString(c.Name())
	b.WriteByte('(')
	for _, sub := range c.Dependencies() {
		writeKey(b, sub)
	}
	b.WriteByte(')')
}

// As is whose rules the instance follows.
func (i *Instance) As() Helm { return i.as }

// Key is equal for instances of one chart with the same subcharts.
func (i *Instance) Key() string { return i.key }

// Source is a template: its name begins with the chart's.
type Source struct{ Name, Text string }

// Sources lists the templates of the chart and its subcharts, of library charts
// only the partials. Of equal names the last one counts.
func (i *Instance) Sources() []Source {
	var sources []Source
	walk(i.root, func(c *chart.Chart) {
		for _, t := range templates(c) {
			sources = append(sources, Source{path.Join(c.ChartFullPath(), t.Name), string(t.Data)})
		}
	})
	return sources
}

// walk visits subcharts before their parents.
func walk(c *chart.Chart, visit func(*chart.Chart)) {
	for _, sub := range c.Dependencies() {
		walk(sub, visit)
	}
	visit(c)
}

func templates(c *chart.Chart) []*chart.File {
	if !isLibrary(c) {
		return c.Templates
	}
	var partials []*chart.File
	for _, t := range c.Templates {
		if strings.HasPrefix(path.Base(t.Name), "_") {
			partials = append(partials, t)
		}
	}
	return partials
}

func isLibrary(c *chart.Chart) bool { return strings.EqualFold(c.Metadata.Type, "library") }

// Release is what templates see as .Release.
type Release struct {
	Name, Namespace string
	Revision        int
	Upgrade         bool
}

// Data is what templates are executed on. It belongs to one render: templates
// may change it.
type Data struct {
	as         Helm
	byTemplate map[string]scope
	top        chartutil.Values
}

type scope struct {
	values   chartutil.Values
	basePath string
}

// Data gives the data for one render. It keeps the values, which Coalesce made.
func (i *Instance) Data(values map[string]any, release Release, caps *Capabilities) Data {
	d := Data{as: i.as, byTemplate: map[string]scope{}, top: chartutil.Values{
		"Values":       chartutil.Values(values),
		"Capabilities": caps,
		"Release": map[string]any{
			"Name":      release.Name,
			"Namespace": release.Namespace,
			"IsUpgrade": release.Upgrade,
			"IsInstall": !release.Upgrade,
			"Revision":  release.Revision,
			"Service":   "Helm",
		},
	}}
	d.add(i.root, d.top)
	return d
}

func (d Data) add(c *chart.Chart, above chartutil.Values) map[string]any {
	subcharts := map[string]any{}
	scoped := map[string]any{
		"Chart":        d.metadata(c),
		"Files":        newFiles(c.Files),
		"Release":      above["Release"],
		"Capabilities": above["Capabilities"],
		"Values":       chartutil.Values{},
		"Subcharts":    subcharts,
	}
	if c.IsRoot() {
		scoped["Values"] = above["Values"]
	} else if own, err := above.Table("Values." + c.Name()); err == nil {
		scoped["Values"] = own
	}
	for _, sub := range c.Dependencies() {
		subcharts[sub.Name()] = d.add(sub, scoped)
	}
	base := path.Join(c.ChartFullPath(), "templates")
	for _, t := range templates(c) {
		d.byTemplate[path.Join(c.ChartFullPath(), t.Name)] = scope{scoped, base}
	}
	return scoped
}

// metadata is what templates see as .Chart: with Helm 4 a map, in which a field
// that does not exist is empty.
func (d Data) metadata(c *chart.Chart) any {
	if d.as != Helm4 {
		return struct {
			chart.Metadata
			IsRoot bool
		}{*c.Metadata, c.IsRoot()}
	}
	out := fieldsOf(reflect.ValueOf(*c.Metadata))
	out["IsRoot"] = c.IsRoot()
	return out
}

// fieldsOf is a struct as a map of its fields, structs in it included.
func fieldsOf(v reflect.Value) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		out[v.Type().Field(i).Name] = withoutStructs(v.Field(i))
	}
	return out
}

func withoutStructs(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.Kind() == reflect.Pointer:
		return withoutStructs(v.Elem())
	case v.Kind() == reflect.Struct:
		return fieldsOf(v)
	case v.Kind() == reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = withoutStructs(v.Index(i))
		}
		return out
	}
	return v.Interface()
}

// Of gives the data for one template. Templates of one chart share it, so they
// are to be executed one after the other.
func (d Data) Of(template string) any {
	s := d.byTemplate[template]
	if s.values == nil {
		s.values = chartutil.Values{}
	}
	s.values["Template"] = chartutil.Values{"Name": template, "BasePath": s.basePath}
	return s.values
}

// AsMap gives the map inside of the named map types that Data holds, but not for
// a key that is a method of theirs.
func AsMap(v any, key string) (map[string]any, bool) {
	values, ok := v.(chartutil.Values)
	if !ok || valuesMethods()[key] {
		return nil, false
	}
	return values, true
}

var valuesMethods = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	t := reflect.TypeFor[chartutil.Values]()
	for i := range t.NumMethod() {
		names[t.Method(i).Name] = true
	}
	return names
})

// CRDs lists the files below crds/ of the chart and its enabled subcharts, the
// names beginning with the charts'.
func (i *Instance) CRDs() []File {
	var files []File
	for _, crd := range i.root.CRDObjects() {
		files = append(files, File{Name: crd.Filename, Data: crd.File.Data})
	}
	return files
}

// CheckInstallable refuses what cannot be a release: a library chart, and one
// whose dependencies are not all there.
func (c *Chart) CheckInstallable() error {
	if isLibrary(c.root) {
		return &Error{File: "Chart.yaml", Err: errors.New("library charts are not installable"), Hint: "name it as a dependency of an application chart"}
	}
	if missing := c.Missing(); len(missing) > 0 {
		return &Error{
			File: "Chart.yaml", Err: fmt.Errorf("dependencies that are not in charts/: %s", strings.Join(missing, ", ")),
			Hint: "put them there, with helm dependency build for example, before loading the chart",
		}
	}
	return nil
}

// Missing lists the dependencies that Chart.yaml names and charts/ lacks.
func (c *Chart) Missing() []string {
	var missing []string
next:
	for _, d := range c.root.Metadata.Dependencies {
		for _, sub := range c.root.Dependencies() {
			if sub.Name() == d.Name {
				continue next
			}
		}
		missing = append(missing, d.Name)
	}
	return missing
}

// Metadata is what Chart.yaml says.
func (c *Chart) Metadata() *chart.Metadata { return c.root.Metadata }

// FitsKube says whether a chart's kubeVersion allows a Kubernetes version.
func FitsKube(constraint, version string) bool {
	return constraint == "" || chartutil.IsCompatibleRange(constraint, version)
}
