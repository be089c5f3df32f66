package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// broken is the error of a revision that was read and makes no sense.
func broken(r *storage.Record, err error) error {
	return &classified{ErrBrokenRevision, fmt.Errorf("revision %d: %w", r.Revision, err)}
}

// storedValues are the user's values of a revision and the chart's own, and what
// the stored chart lacks.
func storedValues(r *storage.Record) (given, own render.Values, trimmed string, err error) {
	stored, err := r.ExactValues()
	if err != nil {
		return given, own, "", err
	}
	chart, err := r.StoredChart()
	if err != nil {
		return given, own, "", err
	}
	if given, err = render.MergeValues(render.FromMap(fmt.Sprintf("revision %d", r.Revision), stored)); err != nil {
		return given, own, "", err
	}
	own, err = render.MergeValues(render.FromMap("chart "+chartName(r.Chart.Name, r.Chart.Version), chart.Values))
	return given, own, chart.Trimmed, err
}
