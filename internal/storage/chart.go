package storage

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// encodeChart is the chart as Helm stores it, so that helm get and
// helm upgrade --reuse-values find what they look for. What was not rendered
// from a chart gets one in name only.
func encodeChart(c Chart) (json.RawMessage, error) {
	out := &chart.Chart{Metadata: &chart.Metadata{
		APIVersion: chart.APIVersionV2, Name: c.Name, Version: c.Version, AppVersion: c.AppVersion, Description: c.Description,
	}}
	var buffered []*loader.BufferedFile
	isChart := false
	for _, f := range c.Files {
		buffered = append(buffered, &loader.BufferedFile{Name: f.Name, Data: f.Data})
		isChart = isChart || f.Name == "Chart.yaml"
	}
	if isChart {
		loaded, err := loader.LoadFiles(buffered)
		if err != nil {
			return nil, fmt.Errorf("read the chart to store: %w", err)
		}
		out = loaded
	}
	if c.Values != nil {
		out.Values = c.Values
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the chart: %w", err)
	}
	return text, nil
}

// Members of the JSON object of a chart.
const (
	chartTemplates = "templates"
	chartFiles     = "files"
	chartSchema    = "schema"
	chartValues    = "values"
)

// trimming leaves parts of a stored chart out. What Helm and the engine need to
// go on from a revision (its manifest, hooks and values) is not in there,
// except for the chart's own values, which helm upgrade --reuse-values reads.
type trimming struct {
	name string
	trim func(chart document) error
}

// trimmings, from what is not missed to what helm get loses.
var trimmings = []trimming{
	{"docs", func(c document) error { return c.dropFiles(forPeople) }},
	{"files", func(c document) error {
		var templates []storedFile
		if err := c.get(chartTemplates, &templates); err != nil {
			return err
		}
		return c.dropFiles(func(name string) bool { return forPeople(name) || unnamed(name, templates) })
	}},
	{"templates", func(c document) error {
		delete(c, chartSchema)
		return c.dropFiles(func(string) bool { return true })
	}},
	{"values", func(c document) error {
		delete(c, chartSchema)
		delete(c, chartValues)
		return c.dropFiles(func(string) bool { return true })
	}},
}

// storedFile is a file in the JSON of a chart.
type storedFile struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// dropFiles leaves out the templates and files that drop names.
func (d document) dropFiles(drop func(name string) bool) error {
	for _, member := range []string{chartTemplates, chartFiles} {
		var files []json.RawMessage
		if err := d.get(member, &files); err != nil {
			return err
		}
		var failed error
		files = slices.DeleteFunc(files, func(text json.RawMessage) bool {
			var f struct {
				Name string `json:"name"`
			}
			if err := json.Unmarshal(text, &f); err != nil {
				failed = fmt.Errorf("a file of the chart: %w", err)
			}
			return drop(f.Name)
		})
		if failed != nil {
			return failed
		}
		if files == nil {
			files = []json.RawMessage{}
		}
		text, err := json.Marshal(files)
		if err != nil {
			return fmt.Errorf("encode the chart: %w", err)
		}
		d[member] = text
	}
	return nil
}

// forPeople says whether a chart's file matters only to its readers and
// makers.
func forPeople(name string) bool {
	for _, dir := range []string{"docs/", "doc/", "ci/", "tests/", "test/", "examples/", "templates/tests/", ".github/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	base := strings.ToUpper(path.Base(name))
	for _, prefix := range []string{"README", "LICENSE", "CHANGELOG", "CONTRIBUTING"} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	return false
}

// unnamed says whether no template names the file, its folder or what it ends
// with: a template gets at a file by .Files.Get "name" or .Files.Glob "dir/*".
func unnamed(name string, templates []storedFile) bool {
	if strings.HasPrefix(name, "templates/") {
		return false
	}
	dir, base := path.Split(name)
	for _, t := range templates {
		text := string(t.Data)
		if strings.Contains(text, base) || dir != "" && strings.Contains(text, dir) {
			return false
		}
		if ext := path.Ext(base); ext != "" && strings.Contains(text, "*"+ext) {
			return false
		}
	}
	return true
}
