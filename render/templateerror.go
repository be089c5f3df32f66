package render

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/template"
)

// Frame is a call of include, tpl or template on the way to an error.
type Frame struct {
	// File is the template that holds the call, Line and Column are from 1.
	File         string
	Line, Column int
	// Call is the expression, as far as it is known.
	Call string
}

// templateError says what a template's error says in fields.
func (c *Chart) templateError(err error, given Values) error {
	e := &Error{Op: "render", Chart: c.info.Name, Err: err, Hint: "correct the template"}
	var at *template.Error
	if errors.As(err, &at) {
		e.File, e.Line, e.Expr = at.Template, at.Line, at.Expr
		if at.Line > 0 && at.Expr != "" {
			e.Column = at.Column + 1
		}
		for _, f := range at.Include {
			e.Include = append(e.Include, Frame{File: f.Template, Line: f.Line, Column: f.Column + 1, Call: f.Expr})
		}
		// The text of a tpl has no file: its caller does.
		for i := len(e.Include) - 1; i >= 0 && e.File == tplFile; i-- {
			e.File, e.Line, e.Column = e.Include[i].File, e.Include[i].Line, e.Include[i].Column
		}
		e.Chart = chartOf(e.File, c.info.Name)
	}
	var limit *template.LimitError
	if errors.As(err, &limit) {
		return e.exceeded(limit, err)
	}
	if at != nil {
		e.Err = withoutValues(at, given)
		e.Path, e.Looked, e.Hint = missingValue(at, e.Err.Error(), e.Chart, given, c.valuesFiles(given))
		e.hideTpl(at)
	}
	return e
}

// tplFile is the name that a text given to tpl has in errors.
const tplFile = "gotpl"

// hideTpl leaves out the expressions of texts given to tpl, which are values.
func (e *Error) hideTpl(at *template.Error) {
	if at.Template == tplFile {
		e.Expr = ""
	}
	for i := range e.Include {
		if e.Include[i].File == tplFile {
			e.Include[i].Call = ""
		}
	}
}

// exceeded makes the error of a limit that templates exceeded. Time may also be
// that of the caller's context: then it is no limit.
func (e *Error) exceeded(limit *template.LimitError, err error) error {
	var ours *LimitError
	if limit.Limit == "Time" && !errors.As(err, &ours) {
		e.Err, e.Hint = fmt.Errorf("ended before it was done: %w", limit.Err), ""
		return e
	}
	own := &LimitError{Limit: limit.Limit, Max: limit.Max, Subject: e.File}
	if ours != nil {
		own.Max = ours.Max // only the context has the time
	}
	if e.Line > 0 {
		own.Subject += fmt.Sprintf(":%d", e.Line)
	}
	if limit.Function != "" {
		own.Subject += ", function " + limit.Function
	}
	if e.Expr != "" {
		own.Subject += " at <" + shorten(e.Expr, 80) + ">"
	}
	e.Err, e.Hint = own, limitHint(own.Limit)
	return e
}

// valuesFiles are the paths of the charts, as the values make them, that have a
// values.yaml.
func (c *Chart) valuesFiles(given Values) map[string]bool {
	has := map[string]bool{}
	instance, err := c.parsed.Instance(given.merged(), chartfile.Helm3, DefaultLimits().meter(context.Background(), nil))
	if err != nil {
		return has // it was made for the render that has failed
	}
	var note func(*chartfile.Defaults)
	note = func(d *chartfile.Defaults) {
		has[d.Chart] = d.Text != nil
		for _, sub := range d.Subs {
			note(sub)
		}
	}
	note(instance.Defaults())
	return has
}

// missingValue names the values path that an expression needed, seen from the
// top chart, and says what to do. text is the error without values, has are the charts that have a values.yaml.
func missingValue(at *template.Error, text, chart string, given Values, has map[string]bool) (path string, looked []string, hint string) {
	m := at.Missing
	if named := noTemplate.FindStringSubmatch(text); named != nil {
		return "", nil, fmt.Sprintf("no file of the chart defines %q: look for a subchart that is missing or disabled; an embed.FS needs the prefix all: to have files that begin with _", named[1])
	}
	if m == nil || m.Root != "." && m.Root != "$" {
		return "", nil, "correct the template, or the values that it reads"
	}
	if len(m.Path) == 0 || m.Path[0] != "Values" {
		return "", nil, "look at what the template is given: " + m.Root + " is not always the root"
	}
	looked = given.layerNames()
	file := ""
	for i, name := range strings.Split(chart, "/charts/") {
		if i > 0 {
			path = joinKey(path, name)
			file += "/charts/"
		}
		file += name
		if has[file] {
			looked = append(looked, file+"/values.yaml")
		}
	}
	for _, key := range m.Path[1:] {
		path = joinKey(path, key)
	}
	above := path
	path = joinKey(path, m.Key)
	if above == "" {
		return path, looked, "give a value for " + path
	}
	if len(looked) == 0 {
		return path, nil, fmt.Sprintf("give a value for %s: no values are given, and the chart has no values.yaml", path)
	}
	return path, looked, fmt.Sprintf("give a value for %s: %s is not there or is no mapping in any of %s", path, above, strings.Join(looked, ", "))
}

// layerNames lists the layers, the strongest first, for errors.
func (v Values) layerNames() []string {
	if v.origins == nil {
		return nil
	}
	var names []string
	for _, l := range slices.Backward(v.origins.layers) {
		names = append(names, l.name)
	}
	return names
}

var noTemplate = regexp.MustCompile(`no template "([^"]*)" associated`)

// chartOf is the chart that a template is of, by the template's path.
func chartOf(file, otherwise string) string {
	if i := strings.LastIndex(file, "/templates/"); i > 0 {
		return file[:i]
	}
	return otherwise
}
