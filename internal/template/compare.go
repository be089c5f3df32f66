package template

import (
	"errors"
	"fmt"
	"reflect"
)

// scalarKind groups the types that compare with each other.
type scalarKind uint8

const (
	notScalar scalarKind = iota
	boolScalar
	intScalar
	uintScalar
	floatScalar
	complexScalar
	stringScalar
)

// scalar is a value as the comparisons see it.
type scalar struct {
	kind scalarKind
	b    bool
	i    int64
	u    uint64
	f    float64
	c    complex128
	s    string
}

func scalarOf(v value) scalar {
	if v.k == plain || v.k == boxed {
		switch t := v.v.(type) {
		case nil:
			return scalar{}
		case string:
			return scalar{kind: stringScalar, s: t}
		case bool:
			return scalar{kind: boolScalar, b: t}
		case int:
			return scalar{kind: intScalar, i: int64(t)}
		case int64:
			return scalar{kind: intScalar, i: t}
		case float64:
			return scalar{kind: floatScalar, f: t}
		}
	}
	rv := v.content().reflect()
	switch {
	case !rv.IsValid():
		return scalar{}
	case rv.Kind() == reflect.Bool:
		return scalar{kind: boolScalar, b: rv.Bool()}
	case rv.Kind() == reflect.String:
		return scalar{kind: stringScalar, s: rv.String()}
	case rv.CanInt():
		return scalar{kind: intScalar, i: rv.Int()}
	case rv.CanUint():
		return scalar{kind: uintScalar, u: rv.Uint()}
	case rv.CanFloat():
		return scalar{kind: floatScalar, f: rv.Float()}
	case rv.CanComplex():
		return scalar{kind: complexScalar, c: rv.Complex()}
	}
	return scalar{}
}

func (a *scalar) equal(b *scalar) bool {
	switch a.kind {
	case boolScalar:
		return a.b == b.b
	case intScalar:
		return a.i == b.i
	case uintScalar:
		return a.u == b.u
	case floatScalar:
		return a.f == b.f
	case complexScalar:
		return a.c == b.c
	}
	return a.s == b.s
}

var (
	errType   = errors.New("invalid type for comparison")
	errAbsent = errors.New("missing argument for comparison")
)

func incompatible(a, b value) error {
	return fmt.Errorf("incompatible types for comparison: %v and %v",
		a.content().reflect().Type(), b.content().reflect().Type())
}

// uncomparable is returned for maps, lists and the like. Its text is Helm's, which
// repeats them.
type uncomparable struct{ text, types string }

func (e *uncomparable) Error() string  { return e.text }
func (e *uncomparable) hidden() string { return e.types }

// equal reports whether the first value equals any of the others.
func equal(first value, others []value) (same bool, err error) {
	if len(others) == 0 {
		return false, errAbsent
	}
	a := scalarOf(first)
	for _, other := range others {
		b := scalarOf(other)
		switch {
		case a.kind == b.kind && a.kind != notScalar:
			same = a.equal(&b)
		case a.kind == b.kind:
			same, err = equalAny(first.content(), other.content())
			if err != nil {
				return false, err
			}
		case a.kind == intScalar && b.kind == uintScalar:
			same = a.i >= 0 && uint64(a.i) == b.u
		case a.kind == uintScalar && b.kind == intScalar:
			same = b.i >= 0 && uint64(b.i) == a.u
		case first.content().k != invalid && other.content().k != invalid:
			return false, incompatible(first, other)
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

// equalAny compares what is not scalar: nil with nil, else as Go does.
func equalAny(a, b value) (same bool, err error) {
	defer protect(&err)
	x, y := a.reflect(), b.reflect()
	if x.Kind() != y.Kind() && x.IsValid() && y.IsValid() {
		return false, &uncomparable{
			text:  fmt.Sprintf("non-comparable types %s: %v, %s: %v", x, x.Type(), y.Type(), y),
			types: fmt.Sprintf("non-comparable types %v and %v", x.Type(), y.Type()),
		}
	}
	if isNil(x) || isNil(y) {
		return isNil(x) == isNil(y), nil
	}
	if !y.Type().Comparable() {
		return false, &uncomparable{
			text:  fmt.Sprintf("non-comparable type %s: %v", y, y.Type()),
			types: fmt.Sprintf("non-comparable type %v", y.Type()),
		}
	}
	return x.Interface() == y.Interface(), nil
}

func isNil(rv reflect.Value) bool {
	switch rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return rv.IsNil()
	}
	return false
}

func less(x, y value) (bool, error) {
	a, b := scalarOf(x), scalarOf(y)
	if a.kind == notScalar || b.kind == notScalar {
		return false, errType
	}
	switch {
	case a.kind == intScalar && b.kind == uintScalar:
		return a.i < 0 || uint64(a.i) < b.u, nil
	case a.kind == uintScalar && b.kind == intScalar:
		return b.i >= 0 && a.u < uint64(b.i), nil
	case a.kind != b.kind:
		return false, incompatible(x, y)
	}
	switch a.kind {
	case intScalar:
		return a.i < b.i, nil
	case uintScalar:
		return a.u < b.u, nil
	case floatScalar:
		return a.f < b.f, nil
	case stringScalar:
		return a.s < b.s, nil
	}
	return false, errType
}

func lessOrEqual(x, y value) (bool, error) {
	if ok, err := less(x, y); ok || err != nil {
		return ok, err
	}
	return equal(x, []value{y})
}
