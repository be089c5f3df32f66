package template

import (
	"cmp"
	"reflect"
	"slices"
)

// sortedEntries lists a map in the order in which fmt prints it and range walks
// it.
func sortedEntries(m reflect.Value) [][2]reflect.Value {
	entries := make([][2]reflect.Value, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		entries = append(entries, [2]reflect.Value{it.Key(), it.Value()})
	}
	slices.SortStableFunc(entries, func(a, b [2]reflect.Value) int { return compareKeys(a[0], b[0]) })
	return entries
}

// compareKeys orders keys: nil first, false before true, numbers and strings
// ascending, NaN first, structs and arrays by their parts, interfaces by type
// and then by content. Keys of different types are in no order.
func compareKeys(a, b reflect.Value) int {
	if a.Type() != b.Type() {
		return -1
	}
	switch a.Kind() {
	case reflect.String:
		return cmp.Compare(a.String(), b.String())
	case reflect.Bool:
		return cmp.Compare(bit(a.Bool()), bit(b.Bool()))
	case reflect.Complex64, reflect.Complex128:
		if c := cmp.Compare(real(a.Complex()), real(b.Complex())); c != 0 {
			return c
		}
		return cmp.Compare(imag(a.Complex()), imag(b.Complex()))
	case reflect.Pointer, reflect.UnsafePointer, reflect.Chan:
		return cmp.Compare(a.Pointer(), b.Pointer())
	case reflect.Struct:
		for i := range a.NumField() {
			if c := compareKeys(a.Field(i), b.Field(i)); c != 0 {
				return c
			}
		}
		return 0
	case reflect.Array:
		for i := range a.Len() {
			if c := compareKeys(a.Index(i), b.Index(i)); c != 0 {
				return c
			}
		}
		return 0
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return cmp.Compare(bit(!a.IsNil()), bit(!b.IsNil()))
		}
		x, y := a.Elem(), b.Elem()
		if c := compareKeys(reflect.ValueOf(x.Type()), reflect.ValueOf(y.Type())); c != 0 {
			return c
		}
		return compareKeys(x, y)
	}
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	}
	return 0
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
