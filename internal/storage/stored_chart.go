package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// StoredChart is what a revision holds of its chart besides its name and
// version.
type StoredChart struct {
	Home        string            `json:"home"`
	Icon        string            `json:"icon"`
	KubeVersion string            `json:"kubeVersion"`
	Deprecated  bool              `json:"deprecated"`
	Annotations map[string]string `json:"annotations"`
	// Values are the chart's own, numbers as json.Number.
	Values map[string]any `json:"-"`
	// Trimmed is what the stored chart lacks, so that the revision fits: the
	// name of a trimming; empty: nothing.
	Trimmed string `json:"-"`
}

// TrimmedValues is the Trimmed of a chart without its values.
const TrimmedValues = "values"

// StoredChart reads what is stored of the chart.
func (r *Record) StoredChart() (StoredChart, error) {
	var chart document
	var out StoredChart
	err := document(r.raw).get(memberChart, &chart)
	if err == nil {
		err = chart.get("metadata", &out)
	}
	if err == nil {
		out.Values, err = chart.exact(chartValues)
	}
	if err != nil {
		return StoredChart{}, about(r, err)
	}
	if r.secret != nil {
		out.Trimmed = r.secret.Annotations[annotationTrimmed]
	}
	return out, nil
}

// ExactValues are the user's values as they are stored, numbers as json.Number.
func (r *Record) ExactValues() (map[string]any, error) {
	values, err := document(r.raw).exact(memberConfig)
	if err != nil {
		return nil, about(r, err)
	}
	return values, nil
}

// exact reads a member that is an object, with its numbers as they are.
func (d document) exact(member string) (map[string]any, error) {
	text, ok := d[member]
	if !ok {
		return nil, nil
	}
	var out map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil, fmt.Errorf("member %q: %w", member, err)
	}
	return out, nil
}
