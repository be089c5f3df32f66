package template

import (
	"fmt"
	"reflect"
	texttemplate "text/template"
)

// builtins are the functions of text/template, without slice, which sprig
// replaces. The types only name the parameters.
func builtins() []*function {
	type v = reflect.Value
	of := func(name string, typ any, call impl) *function {
		f := newFunction(name, reflect.TypeOf(typ), call)
		f.builtin = true
		return f
	}
	native := func(name string, fn any) *function { return of(name, fn, adapt(fn)) }
	truth := func(name string, two func(a, b value) (bool, error)) *function {
		return of(name, func(v, v) bool { return false }, func(_ *Run, a []value) (value, error) {
			ok, err := two(a[0], a[1])
			return concrete(ok), err
		})
	}
	return []*function{
		of("and", func(v, ...v) v { return v{} }, nil), // see logicExpr
		of("or", func(v, ...v) v { return v{} }, nil),
		of("call", func(v, ...v) v { return v{} }, nil), // see dynamicExpr
		of("not", func(v) bool { return false }, func(_ *Run, a []value) (value, error) {
			ok, _ := a[0].truth()
			return concrete(!ok), nil
		}),
		of("eq", func(v, ...v) bool { return false }, func(_ *Run, a []value) (value, error) {
			ok, err := equal(a[0], a[1:])
			return concrete(ok), err
		}),
		truth("ne", func(a, b value) (bool, error) {
			ok, err := equal(a, []value{b})
			return !ok, err
		}),
		truth("lt", less),
		truth("le", lessOrEqual),
		truth("gt", func(a, b value) (bool, error) {
			ok, err := lessOrEqual(a, b)
			return !ok, err
		}),
		truth("ge", func(a, b value) (bool, error) {
			ok, err := less(a, b)
			return !ok, err
		}),
		of("index", func(v, ...v) v { return v{} }, index),
		of("len", func(v) int { return 0 }, length),
		native("print", fmt.Sprint),
		native("printf", fmt.Sprintf),
		native("println", fmt.Sprintln),
		native("html", texttemplate.HTMLEscaper),
		native("js", texttemplate.JSEscaper),
		native("urlquery", texttemplate.URLQueryEscaper),
	}
}

func length(_ *Run, a []value) (v value, err error) {
	switch t := a[0].v.(type) {
	case string:
		return concrete(len(t)), nil
	case []any:
		return concrete(len(t)), nil
	case map[string]any:
		return concrete(len(t)), nil
	}
	defer protect(&err)
	rv, null := indirect(a[0].reflect())
	if null {
		return value{}, fmt.Errorf("len of nil pointer")
	}
	switch rv.Kind() {
	case reflect.Array, reflect.Chan, reflect.Map, reflect.Slice, reflect.String:
		return concrete(rv.Len()), nil
	}
	return value{}, fmt.Errorf("len of type %s", rv.Type())
}

// index is the first argument indexed by each of the others in turn.
func index(_ *Run, a []value) (v value, err error) {
	item := a[0]
	for i, at := range a[1:] {
		if item.k == plain || item.k == boxed {
			if m, ok := item.v.(map[string]any); ok {
				if name, ok := at.v.(string); ok && at.k != exotic {
					item = of(m[name])
					continue
				}
			}
		}
		return indexAny(item.reflect(), a[i+1:], i == 0)
	}
	if len(a) == 1 {
		return indexAny(item.reflect(), nil, true)
	}
	return item, nil
}

func indexAny(item reflect.Value, by []value, first bool) (v value, err error) {
	defer protect(&err)
	if first {
		if item.Kind() == reflect.Interface {
			item = item.Elem()
		}
		if !item.IsValid() {
			return value{}, fmt.Errorf("index of untyped nil")
		}
	}
	for _, at := range by {
		i := at.content().reflect()
		var null bool
		if item, null = indirect(item); null {
			return value{}, fmt.Errorf("index of nil pointer")
		}
		switch item.Kind() {
		case reflect.Array, reflect.Slice, reflect.String:
			n, err := position(i, item.Len())
			if err != nil {
				return value{}, err
			}
			item = item.Index(n)
		case reflect.Map:
			k, err := assignable(i, item.Type().Key())
			if err != nil {
				return value{}, err
			}
			elem := item.MapIndex(k)
			if !elem.IsValid() {
				elem = reflect.Zero(item.Type().Elem())
			}
			item = elem
		default:
			return value{}, fmt.Errorf("can't index item of type %s", item.Type())
		}
	}
	return fromReflect(item), nil
}

// position is an index into n elements. One past the end is let through, for
// reflection to refuse.
func position(i reflect.Value, n int) (int, error) {
	var x int64
	switch {
	case !i.IsValid():
		return 0, fmt.Errorf("cannot index slice/array with nil")
	case i.CanInt():
		x = i.Int()
	case i.CanUint():
		x = int64(i.Uint())
	default:
		return 0, fmt.Errorf("cannot index slice/array with type %s", i.Type())
	}
	if x < 0 || int(x) < 0 || int(x) > n {
		return 0, fmt.Errorf("index out of range: %d", x)
	}
	return int(x), nil
}

// assignable makes a value one of the type, converting only between integers.
func assignable(rv reflect.Value, t reflect.Type) (reflect.Value, error) {
	if !rv.IsValid() {
		if !canBeNil(t) {
			return rv, fmt.Errorf("value is nil; should be of type %s", t)
		}
		rv = reflect.Zero(t)
	}
	switch {
	case rv.Type().AssignableTo(t):
		return rv, nil
	case isInteger(rv.Type()) && isInteger(t):
		return rv.Convert(t), nil
	}
	return rv, fmt.Errorf("value has type %s; should be %s", rv.Type(), t)
}

func isInteger(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr
}

// callValue calls the function that is the first argument.
func callValue(name string, args []value) (v value, err error) {
	fn := args[0].content().reflect()
	if !fn.IsValid() {
		return value{}, fmt.Errorf("call of nil")
	}
	t := fn.Type()
	if t.Kind() != reflect.Func {
		return value{}, fmt.Errorf("non-function %s of type %s", name, t)
	}
	if err := goodFunc(name, t); err != nil {
		return value{}, err
	}
	args = args[1:]
	switch n := t.NumIn(); {
	case t.IsVariadic() && len(args) < n-1:
		return value{}, fmt.Errorf("wrong number of args for %s: got %d want at least %d", name, len(args), n-1)
	case !t.IsVariadic() && len(args) != n:
		return value{}, fmt.Errorf("wrong number of args for %s: got %d want %d", name, len(args), n)
	}
	in := make([]reflect.Value, len(args))
	for i := range args {
		if in[i], err = assignable(args[i].content().reflect(), paramType(t, i)); err != nil {
			return value{}, fmt.Errorf("arg %d: %w", i, err)
		}
	}
	out, err := safeCall(fn, in)
	if err != nil {
		return value{}, err
	}
	return fromCall(out), nil
}

// printable is what fmt prints for a value: what pointers point to, unless they
// print themselves. There is none for functions and channels.
func printable(rv reflect.Value) (any, bool) {
	if rv.Kind() == reflect.Pointer {
		rv, _ = indirect(rv)
	}
	if !rv.IsValid() {
		return noValue, true
	}
	if printsItself(rv.Type()) {
		return rv.Interface(), true
	}
	if rv.CanAddr() && printsItself(reflect.PointerTo(rv.Type())) {
		return rv.Addr().Interface(), true
	}
	if rv.Kind() == reflect.Chan || rv.Kind() == reflect.Func {
		return nil, false
	}
	return rv.Interface(), true
}

var stringerType = reflect.TypeFor[fmt.Stringer]()

func printsItself(t reflect.Type) bool {
	return t.Implements(errorType) || t.Implements(stringerType)
}
