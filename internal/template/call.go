package template

import (
	"fmt"
	"reflect"
	"text/template/parse"
	"time"
)

// function is a function that templates may call.
type function struct {
	name     string
	params   []param
	variadic bool // the last of params is then that of each further argument
	builtin  bool // of text/template, not of sprig or Helm
	helm4    bool // Helm 4 alone has it
	call     impl
	cost     cost // nil: little
	shares   bool // the result is an argument, or a part of one
}

// impl calls a function with arguments that were validated for its parameters.
// The slice is only lent.
type impl func(r *Run, args []value) (value, error)

// param is the parameter that takes argument i.
func (f *function) param(i int) param {
	if f.variadic && i >= len(f.params)-1 {
		return f.params[len(f.params)-1]
	}
	return f.params[i]
}

// arity returns what is wrong with the number of arguments. final reports whether
// one more comes from the pipeline.
func (f *function) arity(args int, final bool) string {
	return arity(f.name, len(f.params), f.variadic, args, final)
}

func arity(name string, params int, variadic bool, args int, final bool) string {
	in := args
	if final {
		in++
	}
	switch {
	case variadic && in < params-1:
		return fmt.Sprintf("wrong number of args for %s: want at least %d got %d", name, params-1, args)
	case !variadic && in != params:
		return fmt.Sprintf("wrong number of args for %s: want %d got %d", name, params, in)
	}
	return ""
}

// callExpr calls a function.
type callExpr struct {
	node  parse.Node // the name
	blame parse.Node // what is shown when the function fails
	fn    *function
	args  []bound
	final param // of the value of the pipeline
}

func (e *callExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	base := len(r.stack)
	for i := range e.args {
		v := e.args[i].eval(r, dot)
		r.stack = append(r.stack, v)
	}
	if final.k != missing {
		r.stack = append(r.stack, r.validate(final, &e.final))
	}
	v, err := r.invoke(e.fn, r.stack[base:])
	r.stack = r.stack[:base]
	if err != nil {
		r.calling(e.blame, e.fn.name, err)
	}
	return v
}

// logicExpr is and or or, which evaluate no more than they must.
type logicExpr struct {
	node parse.Node
	or   bool
	args []bound
}

func (e *logicExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	var v value
	for i := range e.args {
		v = e.args[i].eval(r, dot)
		if truth, _ := v.truth(); truth == e.or {
			return v
		}
	}
	if final.k != missing {
		return final
	}
	return v
}

// dynamicExpr is the builtin call. The name of what it calls is part of its
// errors.
type dynamicExpr struct {
	callExpr
	callee string // empty: what comes from the pipeline
}

func (e *dynamicExpr) eval(r *Run, dot, final value) value {
	r.node = e.node
	var args []value
	for i := range e.args {
		args = append(args, e.args[i].eval(r, dot))
	}
	name := e.callee
	if final.k != missing {
		args = append(args, r.validate(final, &e.final))
		if name == "" {
			name = final.reflect().String()
		}
	}
	r.function = "call"
	r.reserve(r.methodPrice(reflect.Value{}, name, args))
	v, err := callValue(name, args)
	if err != nil {
		r.calling(e.blame, "call", err)
	}
	r.settle(v, 0)
	return v
}

// callMethod calls a method or function of the data with arguments that were
// not bound to its parameters at compile time.
func (r *Run) callMethod(dot value, receiver, fn reflect.Value, node parse.Node, name string, args []argument, final value) value {
	t := fn.Type()
	if msg := arity(name, t.NumIn(), t.IsVariadic(), len(args), final.k != missing); msg != "" {
		r.errorf("%s", msg)
	}
	if err := goodFunc(name, t); err != nil {
		r.errorf("%v", err)
	}
	in := make([]reflect.Value, 0, len(args)+1)
	for i := range args {
		p := paramOf(paramType(t, i))
		in = append(in, toParam(args[i].eval(r, dot, &p), p.typ))
	}
	if final.k != missing {
		p := paramOf(paramType(t, len(args)))
		in = append(in, toParam(r.validate(final, &p), p.typ))
	}
	given := make([]value, len(in))
	for i := range in {
		given[i] = fromReflect(in[i])
	}
	r.function = name
	p := r.methodPrice(receiver, name, given)
	r.reserve(p)
	v, err := r.apart(p.work, func() (value, error) {
		result, err := safeCall(fn, in)
		return fromCall(result), err
	})
	if err != nil {
		r.calling(node, name, err)
	}
	r.settle(v, 0)
	r.function = ""
	return v
}

// methodPrice is the price of a method by Options.MethodCost. One that this does
// not know costs as much as all that it can see: its receiver and its arguments,
// written out.
func (r *Run) methodPrice(receiver reflect.Value, name string, args []value) price {
	if receiver.IsValid() && receiver.CanInterface() && r.set.methodCost != nil {
		if bytes, work, ok := r.set.methodCost(receiver.Interface(), name, anys(args)); ok {
			return price{scratch: bytes, work: work}
		}
	}
	p := price{}
	if len(args) > 0 {
		p.scratch = 8 * r.taken(&yamlForm, args).bytes
	}
	if receiver.IsValid() && receiver.Type() != timeType {
		e := r.taken(&yamlForm, []value{fromReflect(receiver)})
		p.scratch += 8*e.bytes + 512*e.nodes
		p.work = 4 * e.nodes
	}
	return p
}

var timeType = reflect.TypeFor[time.Time]()

func anys(args []value) []any {
	list := make([]any, len(args))
	for i := range args {
		list[i] = args[i].any()
	}
	return list
}

func paramType(t reflect.Type, i int) reflect.Type {
	if last := t.NumIn() - 1; t.IsVariadic() && i >= last {
		return t.In(last).Elem()
	}
	return t.In(i)
}

// toParam is the validated value as reflection passes it.
func toParam(v value, t reflect.Type) reflect.Value {
	if v.k == boxed && t.Kind() != reflect.Interface && t != reflectValueType {
		v = v.unbox()
	}
	rv := v.reflect()
	if t == reflectValueType {
		return reflect.ValueOf(rv)
	}
	if !rv.IsValid() {
		return reflect.Zero(t)
	}
	return rv
}

// fromCall is the result of a function, which may itself be a reflect.Value.
func fromCall(rv reflect.Value) value {
	if rv.IsValid() && rv.Type() == reflectValueType {
		rv = rv.Interface().(reflect.Value)
	}
	return fromReflect(rv)
}

func goodFunc(name string, t reflect.Type) error {
	switch {
	case t.NumOut() == 1, t.NumOut() == 2 && t.Out(1) == errorType:
		return nil
	case t.NumOut() == 2:
		return fmt.Errorf("invalid function signature for %s: second return value should be error; is %s", name, t.Out(1))
	}
	return fmt.Errorf("function %s has %d return values; should be 1 or 2", name, t.NumOut())
}

// safeCall calls by reflection; a panic becomes an error.
func safeCall(fn reflect.Value, in []reflect.Value) (v reflect.Value, err error) {
	defer protect(&err)
	out := fn.Call(in)
	if len(out) == 2 && !out[1].IsNil() {
		return out[0], out[1].Interface().(error)
	}
	return out[0], nil
}

// protect, deferred, makes an error of a panic, unless it is one of ours.
func protect(err *error) {
	switch p := recover().(type) {
	case nil:
	case *fault, *stop:
		panic(p)
	case error:
		*err = p
	default:
		*err = fmt.Errorf("%v", p)
	}
}
