package storage

import (
	"encoding/json"
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// encodeChart is the chart as Helm stores it, so that helm get and
// helm upgrade --reuse-values find what they look for. What was not rendered
// from a chart gets one in name only.
func encodeChart(c Chart, files []File) (json.RawMessage, error) {
	out := &chart.Chart{Metadata: &chart.Metadata{
		APIVersion: chart.APIVersionV2, Name: c.Name, Version: c.Version, AppVersion: c.AppVersion, Description: c.Description,
	}}
	var buffered []*loader.BufferedFile
	isChart := false
	for _, f := range files {
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
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the chart: %w", err)
	}
	return text, nil
}
