package render

import (
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Error says what failed in loading, merging or rendering, and where. Fields
// that are unknown are zero. Every error of this package is one, or is one of
// the more telling [SchemaError], [DuplicateError], [RemoteError] and
// [LimitError], which it may also wrap; use errors.As. Nothing in its text
// controls a terminal or a CI system.
type Error struct {
	// Op is what was tried: "load", "values", "render", "parse", "post-render".
	Op string
	// Chart is the name of the chart, or of the subchart as its path
	// "parent/charts/child", when it is known.
	Chart string
	// File is the file at fault: of a chart by its path inside of it (with the
	// chart's name in front for templates, "web/templates/service.yaml"), of
	// values as the caller named it.
	File string
	// Line and Column are places in File, from 1; 0 is unknown.
	Line, Column int
	// RenderedLine is the line in what the template printed, from 1, for
	// errors that only show there: 0 for others.
	RenderedLine int
	// Path is the values path concerned, "image.repository", if there is one.
	Path string
	// Looked are the layers and values files that were looked at for a value that
	// is missing, the strongest first.
	Looked []string
	// Expr is the template's expression that failed, as far as it is known.
	Expr string
	// Include is how a template came there, the outermost call first.
	Include []Frame
	// Hint says what to do next.
	Hint string
	// Err is the cause. Never nil.
	Err error

	// printed is the line RenderedLine.
	printed string
}

// Error gives one line: operation, place, cause, and the hint behind a dash.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	// The words of a template's error begin with its place.
	placed := e.File != "" && strings.Contains(e.Err.Error(), e.File)
	if e.File != "" && !placed {
		b.WriteString(" " + e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
	} else if e.Chart != "" && !placed {
		b.WriteString(" chart " + e.Chart)
	}
	if e.RenderedLine > 0 {
		fmt.Fprintf(&b, " (line %d of its output)", e.RenderedLine)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Path != "" && !strings.Contains(e.Err.Error(), e.Path) {
		fmt.Fprintf(&b, " (values path %s)", e.Path)
	}
	if e.Hint != "" {
		b.WriteString(" - " + e.Hint)
	}
	return clean.Text(b.String())
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Violation is one value that its chart's schema does not allow.
type Violation struct {
	// Chart is the chart whose values.schema.json says so, "web" or
	// "web/charts/cache".
	Chart string
	// Path is where the value stands, seen from the top chart's values:
	// "service.port", "hosts[0].name", or "" for the values as a whole.
	Path string
	// Wanted is what the schema asks for; Found is the type or value given, ""
	// when nothing was given. Only plain words and small numbers are shown, as
	// JSON: other values may be secrets, as may those whose path has a word such
	// as password, which are never shown.
	Wanted, Found string
	// Origin says where the value came from; zero if that is unknown.
	Origin Origin
}

// SchemaError lists all values that the schemas of a chart and its subcharts
// refuse, sorted by chart and path. Never empty.
type SchemaError struct {
	Violations []Violation
}

// Error gives one line for each violation.
func (e *SchemaError) Error() string {
	var b strings.Builder
	b.WriteString("values do not meet the chart's schema")
	for _, v := range e.Violations {
		path := v.Path
		if path == "" {
			path = "(all values)"
		}
		fmt.Fprintf(&b, "\n  %s: %s: wanted %s", v.Chart, path, v.Wanted)
		if v.Found != "" {
			fmt.Fprintf(&b, ", found %s", v.Found)
		}
		if at := v.Origin.String(); at != "" {
			fmt.Fprintf(&b, " (%s)", at)
		}
	}
	return clean.Text(b.String())
}

// DuplicateError says that two documents describe one object.
type DuplicateError struct {
	// ID is "Kind.group namespace/name".
	ID string
	// First and Second are the Source of both.
	First, Second string
}

func (e *DuplicateError) Error() string {
	if e.First == e.Second {
		return clean.Line(fmt.Sprintf("%s is rendered twice by %s", e.ID, e.First))
	}
	return clean.Line(fmt.Sprintf("%s is rendered by both %s and %s", e.ID, e.First, e.Second))
}

// RemoteError reports that a kustomization or a schema refers to a URL or a
// repository, and that this is not allowed or could not be loaded.
type RemoteError struct {
	// File is the kustomization, the file that it names, or the schema, with the
	// reference.
	File string
	// Ref is the reference, without the user and password in a URL of the web.
	Ref string
	// Err is the loader's error; nil where there is no loader, because remote
	// references are refused then.
	Err error
}

func (e *RemoteError) Error() string {
	if e.Err != nil {
		return clean.Text(fmt.Sprintf("refers to %s, which cannot be loaded: %v", e.Ref, e.Err))
	}
	return clean.Line(fmt.Sprintf("refers to %s, which is not in the file system given", e.Ref))
}

// Unwrap gives the loader's error, or nil.
func (e *RemoteError) Unwrap() error { return e.Err }

// LimitError reports which limit an untrusted input has exceeded.
type LimitError struct {
	// Limit is the name of the field of [Limits], or of a limit of a process:
	// "sandbox memory" and the others of package render/sandbox.
	Limit string
	// Max is its value: bytes, a count, a ratio, levels, or nanoseconds. 0 is
	// unknown.
	Max int64
	// Subject is the file, template, function or archive entry, if known.
	Subject string
	// Err is the cause, if there is one beyond the limit itself.
	Err error
}

// Error gives the limit with its value and unit: "limit ResultBytes (16 MiB)
// exceeded by web/templates/x.yaml".
func (e *LimitError) Error() string {
	s := "limit " + e.Limit
	if e.Max > 0 {
		s += " (" + limitText(e.Limit, e.Max) + ")"
	}
	s += " exceeded"
	if e.Subject != "" {
		s += " by " + e.Subject
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return clean.Text(s)
}

// Unwrap returns the cause, or nil.
func (e *LimitError) Unwrap() error { return e.Err }
