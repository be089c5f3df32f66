package render

// ChartInfo says what a chart is. Treat maps and slices as read-only: they are shared.
type ChartInfo struct {
	Name, Version, AppVersion string
	Description, Home, Icon   string
	KubeVersion               string // constraint on the Kubernetes version, ">=1.31.0-0"; empty: any
	Type                      string // "application", "library" or empty
	APIVersion                string // "v1" or "v2"
	Deprecated                bool
	Annotations               map[string]string
	Digest                    string // "sha256:…" over the names and bytes of Files
	Files                     []File // the raw files, sorted by name: Chart.yaml, values.yaml, templates, subcharts, …
}

// File is one file of a chart.
type File struct {
	Name string // with slashes, from the chart's root: "templates/deployment.yaml"
	Data []byte
}
