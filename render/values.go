package render

// Values are the values that a chart is rendered with, and where each came from. They are immutable and safe for
// concurrent use. The zero Values leave all to the chart's defaults.
type Values struct {
	root    map[string]any
	origins *originNode
}

// Origin says where a value came from.
type Origin struct {
	Layer    string   // name of the layer: a file's name, "--set a.b=1", a map's name, "chart web"
	File     string   // the file, where there is one
	Line     int      // line in File, from 1; 0 when unknown
	Overrode []Origin // what this value took the place of, the latest first
}
