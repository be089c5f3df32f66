package template

import (
	"fmt"
	"reflect"
	"text/template/parse"
)

// expr is a compiled operand. final is the value of the previous stage of the
// pipeline, missing where there is none.
type expr interface {
	eval(r *Run, dot, final value) value
}

// pipeline is commands joined by |, with the variables that take its value.
type pipeline struct {
	node   parse.Node
	cmds   []expr
	decl   []int // variables by number
	names  []string
	assign bool
}

// variable is an entry of the stack of variables. Scoping is by position on it:
// a declaration inside an argument that and, or or does not reach never happens.
type variable struct {
	id int
	v  value
}

func (p *pipeline) run(r *Run, dot value) value {
	r.node = p.node
	v := missingValue
	for _, c := range p.cmds {
		v = c.eval(r, dot, v)
		if v.k >= boxed {
			v = v.unbox()
		}
	}
	for i, id := range p.decl {
		if p.assign {
			r.assign(id, p.names[i], v)
		} else {
			r.vars = append(r.vars, variable{id, v})
		}
	}
	return v
}

func (r *Run) find(id int, name string) *variable {
	for i := len(r.vars) - 1; i >= r.base; i-- {
		if r.vars[i].id == id {
			return &r.vars[i]
		}
	}
	r.errorf("undefined variable: %s", name)
	return nil
}

func (r *Run) assign(id int, name string, v value) { r.find(id, name).v = v }

// eval makes a parenthesized pipeline an operand.
func (p *pipeline) eval(r *Run, dot, final value) value {
	r.nest(1)
	v := p.run(r, dot)
	r.frames--
	return v
}

// failExpr is an operand that always fails, at its node or, without one, where
// execution is.
type failExpr struct {
	node parse.Node
	msg  string
}

func (e *failExpr) eval(r *Run, dot, final value) value {
	if e.node != nil {
		r.node = e.node
	}
	r.errorf("%s", e.msg)
	return value{}
}

type constExpr struct {
	node parse.Node
	v    value
}

func (e *constExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	return e.v
}

type dotExpr struct{ node parse.Node }

func (e *dotExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	return dot
}

// varExpr is a variable, with fields or without.
type varExpr struct {
	node  parse.Node
	id    int
	name  string
	chain *chain
}

func (e *varExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	v := r.find(e.id, e.name).v
	if e.chain == nil {
		return v
	}
	return e.chain.follow(r, dot, v, final)
}

// fieldExpr is .A.B.C on dot.
type fieldExpr struct {
	node  parse.Node
	chain *chain
}

func (e *fieldExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	return e.chain.follow(r, dot, dot, final)
}

// chainExpr is (pipeline).A.B or function.A.B.
type chainExpr struct {
	node  parse.Node
	inner parse.Node
	of    expr
	chain *chain
}

func (e *chainExpr) eval(r *Run, dot, final value) value {
	r.node = e.inner
	v := e.of.eval(r, dot, missingValue)
	return e.chain.follow(r, dot, v, final)
}

// chain is the fields asked for, one after the other.
type chain struct {
	node parse.Node
	root string
	keys []key
	args []argument // of a method that the last field may be
	more bool       // the last field is given arguments
}

// key is one field.
type key struct {
	name     string
	exported bool // could be a method or a field of a struct
}

func (c *chain) follow(r *Run, dot, v, final value) value {
	last := len(c.keys) - 1
	for i := range c.keys {
		k := &c.keys[i]
		m, ok := v.v.(map[string]any)
		if !ok && (v.k == plain || v.k == boxed) && r.set.asMap != nil && v.v != nil {
			m, ok = r.set.asMap(v.v, k.name)
		}
		if !ok {
			if i < last {
				v = c.field(r, dot, i, v, nil, missingValue)
			} else {
				v = c.field(r, dot, i, v, c.args, final)
			}
			continue
		}
		if i == last && (c.more || final.k != missing) {
			r.errorf("%s is not a method but has arguments", k.name)
		}
		next, ok := m[k.name]
		if !ok && r.strict {
			c.missing(r, i, "map has no entry for key %q", k.name)
		}
		v = value{next, boxed}
	}
	return v
}

// missing fails at key i, remembering the way there.
func (c *chain) missing(r *Run, i int, format string, args ...any) {
	path := make([]string, i)
	for j := range path {
		path[j] = c.keys[j].name
	}
	panic(&fault{
		msg:     fmt.Sprintf(format, args...),
		missing: &Missing{Root: c.root, Path: path, Key: c.keys[i].name},
	})
}

// field is the general case of follow: methods, structs, pointers and maps of
// any type.
func (c *chain) field(r *Run, dot value, i int, v value, args []argument, final value) value {
	name := c.keys[i].name
	if v.k == invalid {
		if r.strict {
			c.missing(r, i, "nil data; no entry for key %q", name)
		}
		return value{}
	}
	rv := v.reflect()
	static := rv.Type()
	rv, null := indirect(rv)
	if null && rv.Kind() == reflect.Interface {
		c.missing(r, i, "nil pointer evaluating %s.%s", static, name)
	}
	if c.keys[i].exported {
		target := rv
		if target.Kind() != reflect.Pointer && target.Kind() != reflect.Interface && target.CanAddr() {
			target = target.Addr()
		}
		if m, ok := r.set.types.method(target, name); ok {
			return r.callMethod(dot, target, m, c.node, name, args, final)
		}
	}
	given := len(args) > 0 || final.k != missing
	switch rv.Kind() {
	case reflect.Struct:
		f := r.set.types.field(rv.Type(), name)
		if f == nil {
			break
		}
		field, err := rv.FieldByIndexErr(f.Index)
		if !f.IsExported() {
			r.errorf("%s is an unexported field of struct type %s", name, static)
		}
		if err != nil {
			r.errorf("%v", err)
		}
		if given {
			r.errorf("%s has arguments but cannot be invoked as function", name)
		}
		return fromReflect(field)
	case reflect.Map:
		if !stringType.AssignableTo(rv.Type().Key()) {
			break
		}
		if given {
			r.errorf("%s is not a method but has arguments", name)
		}
		elem := rv.MapIndex(reflect.ValueOf(name))
		if !elem.IsValid() {
			if r.strict {
				c.missing(r, i, "map has no entry for key %q", name)
			}
			elem = reflect.Zero(rv.Type().Elem())
		}
		return fromReflect(elem)
	case reflect.Pointer:
		if t := rv.Type().Elem(); t.Kind() == reflect.Struct {
			if r.set.types.field(t, name) == nil {
				break
			}
		}
		if null {
			c.missing(r, i, "nil pointer evaluating %s.%s", static, name)
		}
	}
	c.missing(r, i, "can't evaluate field %s in type %s", name, static)
	return value{}
}
