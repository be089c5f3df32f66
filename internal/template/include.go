package template

import (
	"errors"
	"fmt"
	"strings"
)

// maxNested is how often a name may be included within itself; Helm's number.
const maxNested = 1000

const noValue = "<no value>"

// includeExpr is the function include.
type includeExpr struct{ callExpr }

func (e *includeExpr) eval(r *Run, dot, final value) value {
	name, data := e.operands(r, dot, final)
	nested, again := r.included[name]
	if again && nested > maxNested {
		r.calling(e.blame, "include", fmt.Errorf(
			"rendering template has a nested reference name: %s: %w", name, errNested))
	}
	callee := r.scope.lookup(name)
	if callee == nil {
		r.calling(e.blame, "include", fmt.Errorf("template: no template %q associated with template %q", name, tplName))
	}
	r.included[name] = nested + 1
	r.step()
	before := r.draws
	if r.set.isFile(name) {
		r.draws = draws{file: name}
	}
	text := r.captured(call{how: callInclude, at: e.blame}, callee, r.scope, rootData(data), "include")
	r.included[name], r.draws = nested, before
	return concrete(text)
}

// captured executes a template and returns what it prints.
func (r *Run) captured(c call, callee *template, s *scope, data value, function string) string {
	mark, outer := len(r.out), r.capture
	r.captures++
	r.capture = mark
	r.enter(c, callee, s, data)
	r.function = function
	r.charge(int64(len(r.out) - mark))
	r.function = ""
	text := string(r.out[mark:])
	r.out = r.out[:mark]
	r.captures--
	r.capture = outer
	r.leave()
	return text
}

var errNested = errors.New("unable to execute template")

// operands evaluates the two arguments, of which the last may come from the
// pipeline.
func (e *callExpr) operands(r *Run, dot, final value) (text string, data value) {
	r.node = e.node
	var in [2]value
	n := 0
	for i := range e.args {
		in[n] = e.args[i].eval(r, dot)
		n++
	}
	if final.k != missing {
		in[n] = r.validate(final, &e.final)
	}
	text, _ = in[0].v.(string)
	return text, in[1]
}

// rootData is the dot of a template that was given a value as an any.
func rootData(v value) value {
	if v.k == plain {
		return v
	}
	if x := v.any(); x != nil {
		return concrete(x)
	}
	return value{}
}

// tplExpr is the function tpl.
type tplExpr struct{ callExpr }

func (e *tplExpr) eval(r *Run, dot, final value) value {
	text, data := e.operands(r, dot, final)
	if !strings.Contains(text, "{{") {
		r.wrote(len(text))
		return concrete(strings.ReplaceAll(text, noValue, ""))
	}
	r.step()
	u := r.set.tpls.get(text)
	if u == nil {
		r.function = "tpl"
		n := int64(parseCost(text))
		r.reserve(price{scratch: n, work: 4 * int64(len(text))})
		if n > r.limits.ResultBytes {
			r.breach("ResultBytes", r.limits.ResultBytes)
		}
		r.function = ""
		u = r.set.parseTpl(text)
	}
	if u.err != nil {
		if limit, ok := u.err.(*LimitError); ok {
			panic(&stop{err: limit})
		}
		r.calling(e.blame, "tpl", &TplError{text, u.err})
	}
	out := r.captured(call{how: callTpl, at: e.blame, text: text}, u.main, r.scope.within(u), rootData(data), "tpl")
	return concrete(strings.ReplaceAll(out, noValue, ""))
}
