package render

// Manifest is what a rendering gives. Treat it as read-only.
type Manifest struct {
	Objects []Object // in install order, hooks and CRDs apart
	Hooks   []Hook   // in install order; whoever runs them sorts those of one event by weight
	CRDs    []Object // of the crds folders, the chart's before its subcharts'
	Notes   string   // the chart's NOTES.txt, rendered

	// Files is the rendered text by template path, byte for byte what Helm's engine returns: partials apart, and
	// NOTES.txt of chart and subcharts included. Nil for what is no chart.
	Files map[string]string

	Chart ChartInfo // what was rendered

	docs []document // the texts behind Objects in Helm's order; nil once a post-renderer has changed them
}
