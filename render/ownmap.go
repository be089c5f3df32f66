package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// maxValuesDepth is how deep values may nest: deeper ones are a cycle.
const maxValuesDepth = 200

// ownMap copies a map made by a program into the types that YAML would give,
// with whole numbers as int64, as --set gives them. Charge is called for each of
// its entries, at any depth, before it is copied.
func ownMap(m map[string]any, charge func() error) (map[string]any, *Error) {
	out := map[string]any{}
	for k, v := range m {
		own, err := owner{charge}.value(reflect.ValueOf(v), escapeKey(k), 0)
		if err != nil {
			return nil, err
		}
		out[k] = own
	}
	return out, nil
}

type owner struct{ charge func() error }

func (o owner) value(v reflect.Value, path string, depth int) (any, *Error) {
	if err := o.charge(); err != nil {
		return nil, &Error{Path: path, Err: err, Hint: "look for a map or slice that holds another many times"}
	}
	if depth > maxValuesDepth {
		return nil, &Error{Path: path, Err: errors.New("values nest too deep"), Hint: "look for a map or slice that holds itself"}
	}
	switch v.Kind() {
	case reflect.Invalid:
		return nil, nil
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return o.value(v.Elem(), path, depth+1)
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		if n, ok := v.Interface().(json.Number); ok {
			return number(n), nil
		}
		return v.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return float64(v.Uint()), nil
		}
		return int64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, &Error{Path: path, Err: fmt.Errorf("%v is no value", f), Hint: "YAML output could not be read by Kubernetes; give a finite number"}
		}
		return v.Float(), nil
	case reflect.Slice, reflect.Array:
		out := make([]any, 0, min(v.Len(), 1024))
		for i := range v.Len() {
			item, err := o.value(v.Index(i), joinIndex(path, i), depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			key := it.Key().String()
			item, err := o.value(it.Value(), path+"."+escapeKey(key), depth+1)
			if err != nil {
				return nil, err
			}
			out[key] = item
		}
		return out, nil
	}
	return nil, &Error{
		Path: path, Err: fmt.Errorf("a Go value of type %s is no value", v.Type()),
		Hint: "give maps with string keys, slices, strings, numbers and booleans; encode structs to JSON or YAML and use FromYAML",
	}
}
