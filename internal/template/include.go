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
	mark := len(r.out)
	r.captures++
	r.step()
	r.enter(call{how: callInclude, at: e.blame}, callee, r.scope, rootData(data))
	text := string(r.out[mark:])
	r.out = r.out[:mark]
	r.captures--
	r.leave()
	r.included[name] = nested
	v := concrete(text)
	r.settle(v, "include")
	return v
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
		r.work(int64(len(text)), "tpl")
		r.charge(parseCost(text), "tpl")
		u = r.set.parseTpl(text)
	}
	if u.err != nil {
		if limit, ok := u.err.(*LimitError); ok {
			panic(&stop{err: limit})
		}
		r.calling(e.blame, "tpl", fmt.Errorf("cannot parse template %q: %w", text, u.err))
	}
	mark := len(r.out)
	r.captures++
	r.enter(call{how: callTpl, at: e.blame, text: text}, u.main, r.scope.within(u), rootData(data))
	out := string(r.out[mark:])
	r.out = r.out[:mark]
	r.captures--
	r.leave()
	v := concrete(strings.ReplaceAll(out, noValue, ""))
	r.settle(v, "tpl")
	return v
}
