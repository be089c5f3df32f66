package render

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// HelmVersion is a version of Helm by whose rules charts are rendered.
type HelmVersion string

const (
	// Helm3 is the default.
	Helm3 HelmVersion = ""
	// Helm4 differs for charts in that there are mustToYaml, mustToToml and functions
	// of durations; that a field which .Chart lacks is empty; and that a subchart
	// under two aliases has its own subcharts under each. Which objects pass through
	// post-renderers is for Input.PostRenderScope to say.
	Helm4 HelmVersion = "4"
)

// rules are those of the version; it was validated.
func (v HelmVersion) rules() chartfile.Helm {
	if v == Helm4 {
		return chartfile.Helm4
	}
	return chartfile.Helm3
}

func (v HelmVersion) validate() error {
	if v == Helm3 || v == Helm4 {
		return nil
	}
	return fmt.Errorf("Input.Helm is %q; accepted are %q and %q", string(v), string(Helm3), string(Helm4))
}
