package render

import (
	"strconv"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// checkSchema validates coalesced values against the schemas of the chart and
// its enabled subcharts.
func (c *Chart) checkSchema(instance *chartfile.Instance, values map[string]any, in Input, meter *chartfile.Meter) error {
	found, err := c.parsed.CheckSchemas(instance, values, chartfile.SchemaLoader(in.SchemaLoader), meter)
	if err != nil {
		if e := c.limitError(err); e != nil {
			return e
		}
		return c.renderError(err)
	}
	if len(found) == 0 {
		return nil
	}
	e := &SchemaError{}
	given := in.layers()
	for _, f := range found {
		v := Violation{Chart: f.Chart, Path: valuesPath(values, f.Path), Wanted: f.Wanted, Found: f.Found}
		if f.Found != "" {
			v.Origin, _ = c.Origin(given, v.Path)
		}
		e.Violations = append(e.Violations, v)
	}
	return e
}

// valuesPath writes keys and item numbers as a path.
func valuesPath(values any, keys []string) string {
	path := ""
	for _, key := range keys {
		if items, ok := values.([]any); ok {
			i, err := strconv.Atoi(key)
			if err != nil {
				return joinKey(path, key)
			}
			path, values = joinIndex(path, i), nil
			if i >= 0 && i < len(items) {
				values = items[i]
			}
			continue
		}
		path = joinKey(path, key)
		if m, ok := values.(map[string]any); ok {
			values = m[key]
		} else {
			values = nil
		}
	}
	return path
}
