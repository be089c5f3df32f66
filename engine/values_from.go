package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// ValuesFrom names values that a ConfigMap or a Secret in the release's namespace
// holds, as valuesFrom of a Flux HelmRelease does.
type ValuesFrom struct {
	// Kind is "ConfigMap" or "Secret". What a Secret gives is hidden in reports and
	// errors wherever the chart renders it.
	Kind string
	Name string
	// Key of the data. Empty: "values.yaml".
	Key string
	// TargetPath is the value that the data becomes, as a text: "db.password". Empty:
	// the data is the YAML of a values file.
	TargetPath string
	// Optional: the object, or its key, need not exist.
	Optional bool
}

// String returns what the values are from.
func (f ValuesFrom) String() string {
	return clean.Line(fmt.Sprintf("%s %s, key %s", f.Kind, f.Name, f.key()))
}

func (f ValuesFrom) key() string {
	if f.Key == "" {
		return "values.yaml"
	}
	return f.Key
}
