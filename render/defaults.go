package render

// Origin tells where the value at a path comes from when the chart is rendered
// with the values: one of their layers, or else the values.yaml of the chart or
// of a subchart. Overrode ends with the chart's own value where there is one. It
// is false for a path that nothing has.
func (c *Chart) Origin(v Values, path string) (Origin, bool) {
	return v.Origin(path)
}
