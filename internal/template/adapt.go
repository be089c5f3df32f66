package template

import (
	"reflect"
	"time"
)

// adapt makes an impl of a Go function: without reflection for the signatures
// that are common, with it for the rest.
func adapt(fn any) impl {
	switch f := fn.(type) {
	case func() string:
		return func(*Run, []value) (v value, err error) {
			defer protect(&err)
			return concrete(f()), nil
		}
	case func(string) string:
		return adapt1(f)
	case func(string) bool:
		return adapt1(f)
	case func(string) int:
		return adapt1(f)
	case func(string) any:
		return adapt1(f)
	case func(string) map[string]any:
		return adapt1(f)
	case func(string) []any:
		return adapt1(f)
	case func(int) string:
		return adapt1(f)
	case func(int) []int:
		return adapt1(f)
	case func(any) string:
		return adapt1(f)
	case func(any) bool:
		return adapt1(f)
	case func(any) any:
		return adapt1(f)
	case func(any) int:
		return adapt1(f)
	case func(any) int64:
		return adapt1(f)
	case func(any) float64:
		return adapt1(f)
	case func(any) []any:
		return adapt1(f)
	case func(any) []string:
		return adapt1(f)
	case func(time.Time) string:
		return adapt1(f)
	case func(map[string]any) []any:
		return adapt1(f)
	case func(map[string]any) string:
		return adapt1(f)
	case func(string, string) string:
		return adapt2(f)
	case func(string, string) bool:
		return adapt2(f)
	case func(string, string) []string:
		return adapt2(f)
	case func(string, string) map[string]string:
		return adapt2(f)
	case func(string, any) bool:
		return adapt2(f)
	case func(string, any) string:
		return adapt2(f)
	case func(int, string) string:
		return adapt2(f)
	case func(any, any) int64:
		return adapt2(f)
	case func(any, any) bool:
		return adapt2(f)
	case func(any, any) []any:
		return adapt2(f)
	case func(map[string]any, string) bool:
		return adapt2(f)
	case func(map[string]any, string) any:
		return adapt2(f)
	case func(map[string]any, string) map[string]any:
		return adapt2(f)
	case func(string, string, string) string:
		return adapt3(f)
	case func(string, string, int) []string:
		return adapt3(f)
	case func(int, int, string) string:
		return adapt3(f)
	case func(int, string, string) string:
		return adapt3(f)
	case func(map[string]any, string, any) map[string]any:
		return adapt3(f)
	case func(any, any, bool) any:
		return adapt3(f)
	case func(...any) string:
		return adaptN(f)
	case func(...any) bool:
		return adaptN(f)
	case func(...any) any:
		return adaptN(f)
	case func(...any) int64:
		return adaptN(f)
	case func(...any) []any:
		return adaptN(f)
	case func(...any) map[string]any:
		return adaptN(f)
	case func(...map[string]any) []string:
		return adaptN(f)
	case func(any, ...any) any:
		return adapt1N(f)
	case func(any, ...any) int64:
		return adapt1N(f)
	case func(any, ...any) float64:
		return adapt1N(f)
	case func(any, ...any) []any:
		return adapt1N(f)
	case func(string, ...any) string:
		return adapt1N(f)
	case func(string, ...map[string]any) []any:
		return adapt1N(f)
	case func(map[string]any, ...string) map[string]any:
		return adapt1N(f)
	case func(map[string]any, ...map[string]any) any:
		return adapt1N(f)
	case func(string) (string, error):
		return adapt1E(f)
	case func(any) (string, error):
		return adapt1E(f)
	case func(any) (any, error):
		return adapt1E(f)
	case func(...any) (any, error):
		return func(_ *Run, a []value) (v value, err error) {
			defer protect(&err)
			res, err := f(rest[any](a)...)
			return of(res), err
		}
	case func(string, string) (bool, error):
		return func(_ *Run, a []value) (v value, err error) {
			defer protect(&err)
			res, err := f(take[string](a[0]), take[string](a[1]))
			return concrete(res), err
		}
	}
	return reflected(reflect.ValueOf(fn))
}

// take is a validated argument as the Go type of its parameter.
func take[A any](v value) A {
	a, _ := v.any().(A)
	return a
}

func rest[A any](args []value) []A {
	out := make([]A, len(args))
	for i := range args {
		out[i] = take[A](args[i])
	}
	return out
}

// resultKind returns how a result of static type R is wrapped.
func resultKind[R any]() kind {
	if reflect.TypeFor[R]() == anyType {
		return boxed
	}
	return plain
}

func adapt1[A, R any](f func(A) R) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		return value{f(take[A](a[0])), k}, nil
	}
}

func adapt2[A, B, R any](f func(A, B) R) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		return value{f(take[A](a[0]), take[B](a[1])), k}, nil
	}
}

func adapt3[A, B, C, R any](f func(A, B, C) R) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		return value{f(take[A](a[0]), take[B](a[1]), take[C](a[2])), k}, nil
	}
}

func adaptN[A, R any](f func(...A) R) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		return value{f(rest[A](a)...), k}, nil
	}
}

func adapt1N[A, B, R any](f func(A, ...B) R) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		return value{f(take[A](a[0]), rest[B](a[1:])...), k}, nil
	}
}

func adapt1E[A, R any](f func(A) (R, error)) impl {
	k := resultKind[R]()
	return func(_ *Run, a []value) (v value, err error) {
		defer protect(&err)
		res, err := f(take[A](a[0]))
		return value{res, k}, err
	}
}

// reflected calls by reflection.
func reflected(fn reflect.Value) impl {
	t := fn.Type()
	return func(_ *Run, a []value) (value, error) {
		in := make([]reflect.Value, len(a))
		for i := range a {
			in[i] = toParam(a[i], paramType(t, i))
		}
		v, err := safeCall(fn, in)
		if err != nil {
			return value{}, err
		}
		return fromCall(v), nil
	}
}
