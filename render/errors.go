package render

import (
	"errors"
	"fmt"
	"strings"
)

// Conditions that callers may want to tell apart with errors.Is. Each arrives wrapped in an *Error that says where.
var (
	// ErrNotChart says that there is no Chart.yaml, or that it does not describe a chart.
	ErrNotChart = errors.New("not a chart")
	// ErrLibraryChart says that a chart of type library was rendered by itself.
	ErrLibraryChart = errors.New("library charts are not installable")
	// ErrKubeVersion says that the chart's kubeVersion excludes the Kubernetes version rendered for.
	ErrKubeVersion = errors.New("incompatible Kubernetes version")
	// ErrReleaseName says that the release name is empty or is refused by Kubernetes.
	ErrReleaseName = errors.New("invalid release name")
	// ErrDependency says that a dependency of Chart.yaml is not in the charts folder.
	ErrDependency = errors.New("missing dependency")
	// ErrNotMapping says that a YAML document should be a mapping and is something else.
	ErrNotMapping = errors.New("not a mapping")
	// ErrIncompleteObject says that a rendered object lacks apiVersion, kind or metadata.name.
	ErrIncompleteObject = errors.New("incomplete object")
	// ErrRemote says that a kustomization reaches for something outside the file system it was given.
	ErrRemote = errors.New("remote resources are not allowed")
)

// Error says what failed, where, and what to do next. Fields that do not apply are empty.
type Error struct {
	Op     string // "load", "values", "render", "parse", "post-render" or "kustomize"
	Chart  string // name of the chart, where it is known
	File   string // the chart's, values' or template's file; for a template with the chart's path, "web/templates/a.yaml"
	Line   int    // line in File, from 1; 0 when unknown. For what a template rendered: line of the rendered text
	Column int    // column in File, from 1; 0 when unknown
	Path   string // the values path concerned, "service.port"
	Hint   string // what to do next
	Err    error
}

// Error puts all that is known on one line, and the hint after it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Chart != "" {
		fmt.Fprintf(&b, " chart %q", e.Chart)
	}
	if e.File != "" {
		fmt.Fprintf(&b, ": %s", e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
	}
	if e.Path != "" {
		fmt.Fprintf(&b, ": value %s", e.Path)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.Err }

// DuplicateError says that one rendering holds an object twice. Applied, the second would silently undo the first.
type DuplicateError struct {
	Group, Kind, Namespace, Name string
	First, Second                string // the files that hold it
}

func (e *DuplicateError) Error() string {
	kind := e.Kind
	if e.Group != "" {
		kind += "." + e.Group
	}
	name := e.Name
	if e.Namespace != "" {
		name = e.Namespace + "/" + name
	}
	if e.First == e.Second {
		return fmt.Sprintf("%s %s stands twice in %s (give one of the two another name)", kind, name, e.First)
	}
	return fmt.Sprintf("%s %s stands in %s and in %s (give one of the two another name)", kind, name, e.First, e.Second)
}

// LimitError says that an input went past one of the Limits.
type LimitError struct {
	Limit string // name of the field of Limits, "OutputBytes"
	Max   int64  // its value: bytes, a count, or nanoseconds
	What  string // what went past it, a file's name say
	Err   error  // context.DeadlineExceeded for RenderTime, else nil
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("limit %s (%d) exceeded", e.Limit, e.Max)
	if e.What != "" {
		s += ": " + e.What
	}
	return s
}

// Unwrap answers context.DeadlineExceeded where time ran out, so that errors.Is finds it.
func (e *LimitError) Unwrap() error { return e.Err }
