package template

import (
	"reflect"
)

// kind says how a value stands to its Go value. The template language distinguishes a
// missing value, a nil and an interface that holds nil apart, and names static
// types in its errors, so a bare any is not enough.
type kind uint8

const (
	invalid kind = iota // no value at all: what reflect calls the zero Value
	plain               // the concrete value in v, never nil
	boxed               // of static type any, holding v, which may be nil
	exotic              // v is a reflect.Value: addressable, or of another interface type
	missing             // a pipeline has no value yet
)

// value is what an expression yields. It stands for a reflect.Value and is
// converted to one only off the common paths.
type value struct {
	v any
	k kind
}

var (
	anyType          = reflect.TypeFor[any]()
	errorType        = reflect.TypeFor[error]()
	stringType       = reflect.TypeFor[string]()
	reflectValueType = reflect.TypeFor[reflect.Value]()
	missingValue     = value{k: missing}
)

// of wraps the result of a function of static type any.
func of(v any) value { return value{v, boxed} }

// concrete wraps a value known not to be a nil interface.
func concrete(v any) value { return value{v, plain} }

// unbox drops the static type any, as the end of each pipeline stage does.
func (v value) unbox() value {
	switch v.k {
	case boxed:
		if v.v == nil {
			return value{}
		}
		return value{v.v, plain}
	case exotic:
		rv := v.v.(reflect.Value)
		if rv.Kind() == reflect.Interface && rv.NumMethod() == 0 {
			return fromReflect(rv.Elem())
		}
	}
	return v
}

// content drops any static interface type.
func (v value) content() value {
	switch v.k {
	case boxed:
		return v.unbox()
	case exotic:
		rv := v.v.(reflect.Value)
		if rv.Kind() == reflect.Interface {
			return fromReflect(rv.Elem())
		}
	}
	return v
}

// any is the value as a parameter of type any receives it.
func (v value) any() any {
	switch v.k {
	case plain, boxed:
		return v.v
	case exotic:
		return v.v.(reflect.Value).Interface()
	}
	return nil
}

// reflect converts to the reflect.Value that v stands for.
func (v value) reflect() reflect.Value {
	switch v.k {
	case plain:
		return reflect.ValueOf(v.v)
	case boxed:
		box := v.v
		return reflect.ValueOf(&box).Elem()
	case exotic:
		return v.v.(reflect.Value)
	}
	return reflect.Value{}
}

// fromReflect converts back. It keeps the reflect.Value where addressability or
// the static type can still be observed from a template: by methods of the pointer,
// by slicing an array, by a static interface type.
func fromReflect(rv reflect.Value) value {
	if !rv.IsValid() {
		return value{}
	}
	if rv.Kind() == reflect.Interface {
		if rv.Type() != anyType || !rv.CanInterface() {
			return value{rv, exotic}
		}
		if rv.IsNil() {
			return value{nil, boxed}
		}
		return value{rv.Elem().Interface(), boxed}
	}
	if !rv.CanInterface() {
		return value{rv, exotic}
	}
	if rv.CanAddr() {
		if t := rv.Type(); t.PkgPath() != "" || t.Kind() == reflect.Struct || t.Kind() == reflect.Array {
			return value{rv, exotic}
		}
	}
	return value{rv.Interface(), plain}
}

// truth reports whether the value counts as true; ok is false for a value that
// has no truth.
func (v value) truth() (truth, ok bool) {
	switch v.k {
	case plain, boxed:
		switch t := v.v.(type) {
		case nil:
			return false, true
		case bool:
			return t, true
		case string:
			return t != "", true
		case map[string]any:
			return len(t) > 0, true
		case []any:
			return len(t) > 0, true
		case int:
			return t != 0, true
		case int64:
			return t != 0, true
		case float64:
			return t != 0, true
		}
		return reflectTruth(reflect.ValueOf(v.v))
	case exotic:
		rv := v.v.(reflect.Value)
		if rv.Kind() == reflect.Interface {
			rv = rv.Elem()
		}
		return reflectTruth(rv)
	}
	return false, true
}

func reflectTruth(rv reflect.Value) (truth, ok bool) {
	switch rv.Kind() {
	case reflect.Invalid:
		return false, true
	case reflect.Struct:
		return true, true
	case reflect.Map, reflect.Slice, reflect.Array, reflect.String:
		return rv.Len() > 0, true
	case reflect.Chan, reflect.Func, reflect.Pointer, reflect.UnsafePointer, reflect.Interface:
		return !rv.IsNil(), true
	}
	switch {
	case rv.Kind() == reflect.Bool:
		return rv.Bool(), true
	case rv.CanInt():
		return rv.Int() != 0, true
	case rv.CanUint():
		return rv.Uint() != 0, true
	case rv.CanFloat():
		return rv.Float() != 0, true
	case rv.CanComplex():
		return rv.Complex() != 0, true
	}
	return false, false
}

// indirect follows pointers and interfaces to the end. Where it meets a nil it
// returns that nil pointer or interface and true.
func indirect(rv reflect.Value) (reflect.Value, bool) {
	for rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface {
		if rv.IsNil() {
			return rv, true
		}
		rv = rv.Elem()
	}
	return rv, false
}

// canBeNil reports whether an untyped nil may stand for the type.
func canBeNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return true
	}
	return t == reflectValueType
}
