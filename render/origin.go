package render

import (
	"fmt"
	"strings"
)

// Origin says where a value came from.
type Origin struct {
	// Layer is the name of the layer: a file's path, the name given to
	// [FromYAML] or [FromMap], or the flag and its first path, "--set a.b": never
	// what was set, which may be a secret. For a chart's own value it is
	// "chart NAME".
	Layer string `json:"layer"`
	// File is the file's name where there is one, else "".
	File string `json:"file,omitempty"`
	// Line in File or in the YAML text, from 1; 0 is unknown.
	Line int `json:"line,omitempty"`
	// Overrode are the values of lower layers that this one hides, the last
	// layer first.
	Overrode []Origin `json:"overrode,omitempty"`
}

// String is "values.yaml:12" or the layer's name; "" for the zero Origin.
func (o Origin) String() string {
	name := o.File
	if name == "" {
		name = o.Layer
	}
	if o.Line > 0 {
		return fmt.Sprintf("%s:%d", name, o.Line)
	}
	return name
}

// Explain is String with what was overridden: "prod.yaml:3, over
// values.yaml:12".
func (o Origin) Explain() string {
	names := []string{o.String()}
	for _, low := range o.Overrode {
		names = append(names, low.String())
	}
	return strings.Join(names, ", over ")
}
