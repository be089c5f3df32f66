package engine

import (
	"fmt"
	"strings"

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
	// TargetPath is the value that the data becomes, as a text, in the notation of
	// helm --set: "db.password", "users[0].password", `tls\.crt` for a name with a dot.
	// Empty: the data is the YAML of a values file.
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

// isOnePath reports whether a path of helm --set names one value: what ends a path or
// separates two of them may be in a name only after a backslash. Without this a part
// of the path would become a part of the value.
func isOnePath(path string) bool {
	escaped := false
	for _, r := range path {
		if !escaped && (r == '=' || r == ',') {
			return false
		}
		escaped = !escaped && r == '\\'
	}
	return !escaped
}

// setText escapes a text for an expression of helm --set-string.
var setText = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `{`, `\{`)
