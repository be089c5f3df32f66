package template

import (
	"reflect"
	"strings"
	"text/template/parse"
)

// paramKind picks the fast way to check an argument.
type paramKind uint8

const (
	paramOther paramKind = iota
	paramAny
	paramString
	paramInt
	paramBool
	paramMap
	paramValue // reflect.Value: builtins that take anything as it is
)

// param is a parameter of a function.
type param struct {
	typ  reflect.Type
	kind paramKind
}

var mapType = reflect.TypeFor[map[string]any]()

func paramOf(t reflect.Type) param {
	switch t {
	case anyType:
		return param{t, paramAny}
	case stringType:
		return param{t, paramString}
	case reflect.TypeFor[int]():
		return param{t, paramInt}
	case reflect.TypeFor[bool]():
		return param{t, paramBool}
	case mapType:
		return param{t, paramMap}
	case reflectValueType:
		return param{t, paramValue}
	}
	return param{t, paramOther}
}

// argument is a compiled argument, whose value depends on the type that the
// parameter wants.
type argument struct {
	node parse.Node
	e    expr // nil: node is a literal or nil
}

// bound is an argument of a function that is known at compile time.
type bound struct {
	argument
	param param
	fixed *value // of a literal
}

// bind evaluates a literal once for a parameter, if it suits.
func (a argument) bind(p param) bound {
	b := bound{argument: a, param: p}
	if a.e == nil {
		if v, err := literal(a.node, p.typ); err == "" {
			b.fixed = &v
		}
	}
	return b
}

func (b *bound) eval(r *Run, dot value) value {
	if b.fixed != nil {
		r.node = b.node
		return *b.fixed
	}
	return b.argument.eval(r, dot, &b.param)
}

// eval evaluates the argument and makes it what the parameter takes.
func (a *argument) eval(r *Run, dot value, p *param) value {
	r.node = a.node
	if a.e != nil {
		return r.validate(a.e.eval(r, dot, missingValue), p)
	}
	v, err := literal(a.node, p.typ)
	if err != "" {
		r.errorf("%s", err)
	}
	return v
}

// validate makes a value one that may be assigned to the parameter, or fails.
func (r *Run) validate(v value, p *param) value {
	switch p.kind {
	case paramAny, paramValue:
		return v
	case paramString:
		if _, ok := v.v.(string); ok && v.k != exotic {
			return v
		}
	case paramInt:
		if _, ok := v.v.(int); ok && v.k != exotic {
			return v
		}
	case paramBool:
		if _, ok := v.v.(bool); ok && v.k != exotic {
			return v
		}
	case paramMap:
		if _, ok := v.v.(map[string]any); ok && v.k != exotic {
			return v
		}
	}
	return r.validateSlow(v.reflect(), p.typ)
}

func (r *Run) validateSlow(rv reflect.Value, t reflect.Type) value {
	if !rv.IsValid() {
		if canBeNil(t) {
			return zeroOf(t)
		}
		r.errorf("invalid value; expected %s", t)
	}
	if !rv.Type().AssignableTo(t) {
		if rv.Kind() == reflect.Interface && !rv.IsNil() {
			rv = rv.Elem()
		}
		switch {
		case rv.Type().AssignableTo(t):
		case rv.Kind() == reflect.Pointer && rv.Type().Elem().AssignableTo(t):
			rv = rv.Elem()
			if !rv.IsValid() {
				r.errorf("dereference of nil pointer of type %s", t)
			}
		case reflect.PointerTo(rv.Type()).AssignableTo(t) && rv.CanAddr():
			rv = rv.Addr()
		default:
			r.errorf("wrong type for value; expected %s; got %s", t, rv.Type())
		}
	}
	if rv.Type() != t && t.Kind() != reflect.Interface {
		rv = rv.Convert(t)
	}
	return fromReflect(rv)
}

// zeroOf is the nil of a type that has one.
func zeroOf(t reflect.Type) value {
	if t == reflectValueType {
		return value{}
	}
	return fromReflect(reflect.Zero(t))
}

// literal is a constant or nil as the type wants it, or why it cannot be.
func literal(n parse.Node, t reflect.Type) (value, string) {
	if _, ok := n.(*parse.NilNode); ok {
		if !canBeNil(t) {
			return value{}, "cannot assign nil to " + t.String()
		}
		return zeroOf(t), ""
	}
	if t == reflectValueType || t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		return ideal(n)
	}
	v := reflect.New(t).Elem()
	number, isNumber := n.(*parse.NumberNode)
	want := ""
	switch k := t.Kind(); {
	case k == reflect.Bool:
		if b, ok := n.(*parse.BoolNode); ok {
			v.SetBool(b.True)
			break
		}
		want = "bool"
	case k == reflect.String:
		if s, ok := n.(*parse.StringNode); ok {
			v.SetString(s.Text)
			break
		}
		want = "string"
	case v.CanInt():
		if isNumber && number.IsInt {
			v.SetInt(number.Int64)
			break
		}
		want = "integer"
	case v.CanUint():
		if isNumber && number.IsUint {
			v.SetUint(number.Uint64)
			break
		}
		want = "unsigned integer"
	case v.CanFloat():
		if isNumber && number.IsFloat {
			v.SetFloat(number.Float64)
			break
		}
		want = "float"
	case v.CanComplex():
		if isNumber && number.IsComplex {
			v.SetComplex(number.Complex128)
			break
		}
		want = "complex"
	default:
		return value{}, "can't handle " + n.String() + " for arg of type " + t.String()
	}
	if want != "" {
		return value{}, "expected " + want + "; found " + n.String()
	}
	return fromReflect(v), ""
}

// ideal is a constant where any type will do: the way it is written decides.
func ideal(n parse.Node) (value, string) {
	switch n := n.(type) {
	case *parse.BoolNode:
		return concrete(n.True), ""
	case *parse.StringNode:
		return concrete(n.Text), ""
	case *parse.NumberNode:
		switch {
		case n.IsComplex:
			return concrete(n.Complex128), ""
		case n.IsFloat && strings.ContainsAny(n.Text, ".eEpP") && !isHex(n.Text) && n.Text[0] != '\'':
			return concrete(n.Float64), ""
		case n.IsInt && int64(int(n.Int64)) == n.Int64:
			return concrete(int(n.Int64)), ""
		case n.IsInt || n.IsUint:
			return value{}, n.Text + " overflows int"
		}
		return value{}, ""
	}
	return value{}, "can't handle assignment of " + n.String() + " to empty interface argument"
}

// isHex reports a hexadecimal integer, in which e is a digit.
func isHex(s string) bool {
	return len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && !strings.ContainsAny(s, "pP")
}
