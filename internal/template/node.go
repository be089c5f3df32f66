package template

import (
	"fmt"
	"strconv"
	"text/template/parse"
)

// signal reports how a list of statements ended.
type signal uint8

const (
	proceed signal = iota
	breakLoop
	continueLoop
)

// stmt is a compiled action or text.
type stmt interface {
	exec(r *Run, dot value) signal
}

type list []stmt

func (l list) exec(r *Run, dot value) signal {
	for _, s := range l {
		if sig := s.exec(r, dot); sig != proceed {
			return sig
		}
	}
	return proceed
}

type textStmt struct{ text string }

func (t *textStmt) exec(r *Run, dot value) signal {
	r.wrote(len(t.text))
	r.out = append(r.out, t.text...)
	r.putAway()
	return proceed
}

type breakStmt struct{}

func (breakStmt) exec(*Run, value) signal { return breakLoop }

type continueStmt struct{}

func (continueStmt) exec(*Run, value) signal { return continueLoop }

// actionStmt prints a pipeline, or only runs it if it declares variables.
type actionStmt struct {
	node parse.Node
	pipe *pipeline
}

func (a *actionStmt) exec(r *Run, dot value) signal {
	r.step()
	v := a.pipe.run(r, dot)
	if len(a.pipe.decl) == 0 {
		r.print(a.node, v)
	}
	return proceed
}

// print appends a value as fmt.Print would.
func (r *Run) print(node parse.Node, v value) {
	r.node = node
	if s, ok := v.v.(string); ok && v.k == plain {
		r.wrote(len(s))
		r.out = append(r.out, s...)
		r.putAway()
		return
	}
	before := len(r.out)
	switch v.k {
	case invalid:
		r.out = append(r.out, noValue...)
	case plain:
		switch t := v.v.(type) {
		case int:
			r.out = strconv.AppendInt(r.out, int64(t), 10)
		case int64:
			r.out = strconv.AppendInt(r.out, t, 10)
		case bool:
			r.out = strconv.AppendBool(r.out, t)
		case float64:
			r.out = fmt.Append(r.out, t)
		default:
			r.printAny(node, v)
		}
	default:
		r.printAny(node, v)
	}
	r.wrote(len(r.out) - before)
}

func (r *Run) printAny(node parse.Node, v value) {
	r.function = "print"
	bytes := r.written(&shown, []value{v}).bytes
	r.reserve(price{scratch: 2 * bytes})
	r.function = ""
	p, ok := printable(v.reflect())
	if !ok {
		r.errorf("can't print %s of type %s", node, v.reflect().Type())
	}
	r.out = fmt.Append(r.out, p)
}

// branchStmt is an if or a with.
type branchStmt struct {
	pipe      *pipeline
	with      bool
	list, alt list
	hasElse   bool
}

func (b *branchStmt) exec(r *Run, dot value) signal {
	r.step()
	r.nest(1)
	mark := len(r.vars)
	v := b.pipe.run(r, dot)
	truth, ok := v.truth()
	if !ok {
		r.errorf("if/with can't use %v", v.reflect())
	}
	sig := proceed
	switch {
	case truth && b.with:
		sig = b.list.exec(r, v)
	case truth:
		sig = b.list.exec(r, dot)
	case b.hasElse:
		sig = b.alt.exec(r, dot)
	}
	r.vars = r.vars[:mark]
	r.frames--
	return sig
}

// templateStmt is {{template "name" pipeline}}.
type templateStmt struct {
	node parse.Node
	name string
	pipe *pipeline // nil: no data
}

func (t *templateStmt) exec(r *Run, dot value) signal {
	r.step()
	r.node = t.node
	callee := r.scope.lookup(t.name)
	if callee == nil {
		r.errorf("template %q not defined", t.name)
	}
	var data value
	if t.pipe != nil {
		data = t.pipe.run(r, dot)
	}
	r.enter(call{how: callTemplate, at: t.node}, callee, r.scope, data)
	r.leave()
	return proceed
}

// enter executes a template on data and leaves the caller on the stack.
func (r *Run) enter(c call, callee *template, s *scope, data value) {
	if len(r.calls) >= r.limits.TemplateDepth {
		r.breach("TemplateDepth", int64(r.limits.TemplateDepth))
	}
	r.nest(1)
	c.tmpl, c.node, c.scope, c.base = r.tmpl, r.node, r.scope, r.base
	r.calls = append(r.calls, c)
	r.base = len(r.vars)
	r.vars = append(r.vars, variable{0, data})
	r.tmpl, r.scope = callee, s
	callee.root.exec(r, data)
}

// leave returns to the caller.
func (r *Run) leave() {
	last := len(r.calls) - 1
	c := &r.calls[last]
	r.vars = r.vars[:r.base]
	r.tmpl, r.node, r.scope, r.base = c.tmpl, c.node, c.scope, c.base
	*c = call{}
	r.frames--
	r.calls = r.calls[:last]
}
