package template

import (
	"reflect"
	"sync"
)

// members remembers where the methods and fields of types are. The zero value
// is ready, and safe for concurrent use. It holds no more than the names that
// templates ask of the types of Go, which are few.
type members struct {
	methods sync.Map // of memberKey to int: the index, -1 if there is none
	fields  sync.Map // of memberKey to *reflect.StructField: nil if there is none
}

type memberKey struct {
	t    reflect.Type
	name string
}

func (m *members) method(rv reflect.Value, name string) (reflect.Value, bool) {
	t := rv.Type()
	if t.NumMethod() == 0 {
		return reflect.Value{}, false
	}
	k := memberKey{t, name}
	index, ok := m.methods.Load(k)
	if !ok {
		at := -1
		if found, ok := t.MethodByName(name); ok {
			at = found.Index
		}
		m.methods.Store(k, at)
		index = at
	}
	if at := index.(int); at >= 0 {
		return rv.Method(at), true
	}
	return reflect.Value{}, false
}

func (m *members) field(t reflect.Type, name string) *reflect.StructField {
	k := memberKey{t, name}
	if f, ok := m.fields.Load(k); ok {
		return f.(*reflect.StructField)
	}
	var found *reflect.StructField
	if f, ok := t.FieldByName(name); ok {
		found = &f
	}
	m.fields.Store(k, found)
	return found
}
