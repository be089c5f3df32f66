package template

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"
)

// Error is a template that could not be parsed or executed. Its text is the
// text of Helm's error; its fields say the same in parts, of the innermost
// place.
type Error struct {
	Template     string  // the source: "chart/templates/x.yaml", or "gotpl" for the text of a tpl
	Line, Column int     // from 1 and from 0, as text/template counts; 0, 0 where not known
	Expr         string  // the expression that failed; empty for a parse error
	Include      []Frame // how execution came there, outermost first
	Missing      *Missing
	Err          error // the cause, if it was an error of a function, or a *LimitError

	text string
	// For Hidden: where it failed, without the texts of tpl, and what it said.
	where, said string
	tpl         string // the text of the tpl that failed; empty: none
}

// Frame is a call of include, tpl or {{template}} on the way to an error.
type Frame struct {
	Template     string // the source that holds the call
	Line, Column int
	Define       string // the template that was executing
	Expr         string // the call
}

// Missing is a value that an expression went through and that is not there.
type Missing struct {
	Root string   // ".", "$", "$x" or a parenthesized expression
	Path []string // the fields followed from Root that end in nothing or in the wrong type
	Key  string   // the field then asked for
}

func (e *Error) Error() string { return e.text }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hidden returns the text of the error without what may be a value: the texts
// given to tpl are left out, and what a function says is what hide returns of it.
// own is for what required and fail say, which is the chart author's own text.
func (e *Error) Hidden(hide, own func(string) string) string {
	if e.where == "" {
		return own(e.text)
	}
	said := hide(e.said)
	if e.tpl != "" {
		said = words.ReplaceAllStringFunc(said, func(word string) string {
			if strings.Contains(e.tpl, word) && !strings.Contains(ordinary, " "+word+" ") {
				return "…"
			}
			return word
		})
	}
	return e.where + said
}

var words = regexp.MustCompile(`[\pL\d_-]{3,}`)

// ordinary are words of text/template's own messages.
const ordinary = " nil pointer evaluating interface can't evaluate field type map string slice int float64 bool error calling has arguments value wrong number args for want got not function "

// repeater is an error whose text repeats values that are not those given to the
// render, so that they cannot be found in it. hidden is the text without them.
type repeater interface {
	error
	hidden() string
}

// TplError is a text given to tpl that cannot be parsed.
type TplError struct {
	Text string
	Err  error
}

func (e *TplError) Error() string { return fmt.Sprintf("cannot parse template %q: %v", e.Text, e.Err) }

// Unwrap returns the parser's error.
func (e *TplError) Unwrap() error { return e.Err }

// hidden returns the message without the text and what the parser repeats of it.
func (e *TplError) hidden() string {
	at := ""
	if m := tplLine.FindStringSubmatch(e.Err.Error()); m != nil {
		at = " line " + m[1] + ":"
	}
	return "cannot parse the text given to tpl:" + at + " it is no valid template"
}

var tplLine = regexp.MustCompile(tplName + `:(\d+)`)

// fault is a failure while it travels up: what failed at the node of the
// template that was executing. The calls that led there are still on the run's
// stack of calls when it is recovered.
type fault struct {
	msg     string
	err     error // appended to msg
	missing *Missing
}

// stop ends a run without passing through the words of the calls in between.
type stop struct{ err error }

const (
	callTemplate = iota
	callInclude
	callTpl
)

// call is one entry of the stack of calls.
type call struct {
	tmpl  *template // the caller
	node  parse.Node
	at    parse.Node // the node to blame if the callee fails
	scope *scope
	base  int // of the caller's variables
	how   int
	text  string // the text of a tpl
}

// errorf fails at the current node.
func (r *Run) errorf(format string, args ...any) {
	panic(&fault{msg: fmt.Sprintf(format, args...)})
}

// calling fails because a function did.
func (r *Run) calling(at parse.Node, name string, err error) {
	r.node = at
	panic(&fault{msg: "error calling " + name + ": ", err: err})
}

// place is where a node of a template is, as text/template writes it.
func place(t *template, n parse.Node) (file string, line, column int, location, context string) {
	location, context = t.tree.ErrorContext(n)
	file = location
	if i := strings.LastIndexByte(file, ':'); i >= 0 {
		column, _ = strconv.Atoi(file[i+1:])
		file = file[:i]
	}
	if i := strings.LastIndexByte(file, ':'); i >= 0 {
		line, _ = strconv.Atoi(file[i+1:])
		file = file[:i]
	}
	return file, line, column, location, context
}

func writePlace(b *strings.Builder, t *template, location, context string) {
	fmt.Fprintf(b, "template: %s: executing %q at <%s>: ", location, t.name, context)
}

// maxChain is how long the part of an error about the calls that led to it may
// become before calls are left out.
const maxChain = 1 << 20

// located is a place, as place returns it.
type located struct {
	file, location, context string
	line, column            int
}

// failed makes the error of a fault out of the calls that led to it.
func (r *Run) failed(name string, f *fault) *Error {
	e := &Error{Missing: f.missing, Err: f.err}
	var b, where strings.Builder
	places := make(map[parse.Node]located)
	for i := range r.calls {
		c := &r.calls[i]
		if b.Len() > maxChain && i < len(r.calls)-1 {
			continue
		}
		at, ok := places[c.at]
		if !ok {
			at.file, at.line, at.column, at.location, at.context = place(c.tmpl, c.at)
			places[c.at] = at
		}
		file, line, column, location, context := at.file, at.line, at.column, at.location, at.context
		e.Include = append(e.Include, Frame{file, line, column, c.tmpl.name, context})
		switch c.how {
		case callInclude:
			writePlace(&b, c.tmpl, location, context)
			b.WriteString("error calling include: ")
			writePlace(&where, c.tmpl, location, shownContext(file, context))
			where.WriteString("error calling include: ")
		case callTpl:
			writePlace(&b, c.tmpl, location, context)
			text := c.text
			if b.Len()+len(text) > maxChain {
				text = text[:min(len(text), 80)] + " ..."
			}
			fmt.Fprintf(&b, "error calling tpl: error during tpl function execution for %q: ", text)
			writePlace(&where, c.tmpl, location, shownContext(file, context))
			where.WriteString("error calling tpl: error in the text given to it: ")
			e.tpl = c.text
		}
	}
	file, line, column, location, context := place(r.tmpl, r.node)
	e.Template, e.Line, e.Column, e.Expr = file, line, column, context
	writePlace(&b, r.tmpl, location, context)
	placed := b.Len()
	b.WriteString(f.msg)
	if f.err != nil {
		b.WriteString(f.err.Error())
	}
	e.text = cleanExec(name, b.String())
	if e.text == b.String() {
		writePlace(&where, r.tmpl, location, shownContext(file, context))
		e.where, e.said = where.String(), b.String()[placed:]
		var repeats repeater
		if errors.As(f.err, &repeats) {
			e.said = f.msg + repeats.hidden()
		}
		if file != tplName {
			e.tpl = ""
		}
	}
	return e
}

// shownContext returns the expression that failed, unless it is part of the text
// of a tpl, which is a value.
func shownContext(file, context string) string {
	if file == tplName {
		return "…"
	}
	return context
}

// stopped makes the error of a breached limit, with the place but without the
// chain of calls in its text, which could be as long as the limit allows.
func (r *Run) stopped(s *stop) *Error {
	e := &Error{Err: s.err, Template: r.tmpl.name}
	prefix := "template: " + r.tmpl.name + ": "
	if r.node != nil {
		var location string
		e.Template, e.Line, e.Column, location, e.Expr = place(r.tmpl, r.node)
		// The text of a tpl has no file: the call of it does.
		for i := len(r.calls) - 1; i >= 0 && e.Template == tplName; i-- {
			c := &r.calls[i]
			e.Template, e.Line, e.Column, _, e.Expr = place(c.tmpl, c.at)
		}
		prefix = fmt.Sprintf("template: %s: executing %q: ", location, r.tmpl.name)
	}
	e.text = prefix + s.err.Error()
	return e
}

const (
	warnStart = "HELM_ERR_START"
	warnEnd   = "HELM_ERR_END"
)

func warn(msg string) error { return &warning{msg} }

// warning is the error of required and fail, which is shown bare.
type warning struct{ msg string }

func (w *warning) Error() string { return warnStart + w.msg + warnEnd }

// cleanExec words an error of execution as Helm does: what required and fail
// say replaces all the rest, located at the outermost template.
func cleanExec(name, text string) string {
	tokens := strings.SplitN(text, ": ", 3)
	if len(tokens) != 3 {
		return fmt.Sprintf("execution error in (%s): %s", name, text)
	}
	if start := strings.Index(tokens[2], warnStart); start >= 0 {
		rest := tokens[2][start+len(warnStart):]
		if end := strings.LastIndex(rest, warnEnd); end >= 0 {
			return fmt.Sprintf("execution error at (%s): %s", tokens[1], rest[:end])
		}
	}
	return text
}

// parseFailed words an error of the parser as Helm does.
func parseFailed(name string, err error) *Error {
	e := &Error{Template: name, Err: err}
	tokens := strings.Split(err.Error(), ": ")
	if len(tokens) == 1 {
		e.text = fmt.Sprintf("parse error in (%s): %s", name, err)
		return e
	}
	e.text = fmt.Sprintf("parse error at (%s): %s", tokens[1], tokens[len(tokens)-1])
	if i := strings.LastIndexByte(tokens[1], ':'); i >= 0 {
		e.Line, _ = strconv.Atoi(tokens[1][i+1:])
	}
	return e
}
