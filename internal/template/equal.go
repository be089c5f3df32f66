package template

import (
	"reflect"
)

// equalDeep is reflect.DeepEqual for values, which charges each step. A value
// that contains itself ends the run.
func (r *Run) equalDeep(a, b any, depth int) bool {
	r.step()
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		if len(x) > 1024 && len(x) == len(y) {
			r.work(int64(len(x)) / 64)
		}
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case int:
		y, ok := b.(int)
		return ok && x == y
	case int64:
		y, ok := b.(int64)
		return ok && x == y
	case float64:
		y, ok := b.(float64)
		return ok && x == y
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && r.equalMaps(x, y, depth)
	case []any:
		y, ok := b.([]any)
		return ok && r.equalLists(x, y, depth)
	}
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	e := r.taken(&copied, []value{of(a), of(b)})
	r.work(e.nodes)
	return reflect.DeepEqual(a, b)
}

func (r *Run) nests(depth int) {
	if depth >= r.nesting {
		r.tooDeep()
	}
}

func (r *Run) equalMaps(x, y map[string]any, depth int) bool {
	if (x == nil) != (y == nil) || len(x) != len(y) {
		return false
	}
	if reflect.ValueOf(x).UnsafePointer() == reflect.ValueOf(y).UnsafePointer() {
		return true
	}
	r.nests(depth)
	for k, v := range x {
		w, ok := y[k]
		if !ok || !r.equalDeep(v, w, depth+1) {
			return false
		}
	}
	return true
}

func (r *Run) equalLists(x, y []any, depth int) bool {
	if (x == nil) != (y == nil) || len(x) != len(y) {
		return false
	}
	if len(x) > 0 && &x[0] == &y[0] {
		return true
	}
	r.nests(depth)
	for i := range x {
		if !r.equalDeep(x[i], y[i], depth+1) {
			return false
		}
	}
	return true
}

// elements is a list of any type as one of any; ok is false for what is no list.
func (r *Run) elements(v any) (list []any, ok bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	rv := reflect.ValueOf(v)
	if k := rv.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil, false
	}
	n := int64(rv.Len())
	r.reserve(price{scratch: (itemBytes + boxBytes) * n, work: n})
	list = make([]any, n)
	for i := range list {
		list[i] = rv.Index(i).Interface()
	}
	return list, true
}

// equalFunctions are the functions that compare in depth. What is no list is
// left to the functions that they replace, which refuse it.
func equalFunctions(replaced map[string]*function) map[string]impl {
	table := map[string]impl{
		"deepEqual": func(r *Run, a []value) (value, error) {
			return concrete(r.equalDeep(a[0].any(), a[1].any(), 0)), nil
		},
	}
	both := func(name, must string, call func(r *Run, list []any, a []value) any, at int) {
		for _, name := range []string{name, must} {
			refuse := replaced[name].call
			table[name] = func(r *Run, a []value) (value, error) {
				r.function = name
				list, ok := r.elements(a[at].any())
				if !ok {
					return refuse(r, a)
				}
				return concrete(call(r, list, a)), nil
			}
		}
	}
	both("has", "mustHas", func(r *Run, list []any, a []value) any { return r.contains(list, a[0].any()) }, 1)
	both("uniq", "mustUniq", func(r *Run, list []any, a []value) any {
		unique := []any{}
		for _, v := range list {
			if !r.contains(unique, v) {
				unique = append(unique, v)
			}
		}
		return unique
	}, 0)
	both("without", "mustWithout", func(r *Run, list []any, a []value) any {
		omitted := rest[any](a[1:])
		left := []any{}
		for _, v := range list {
			if !r.contains(omitted, v) {
				left = append(left, v)
			}
		}
		return left
	}, 0)
	return table
}

func (r *Run) contains(list []any, v any) bool {
	for _, e := range list {
		if r.equalDeep(v, e, 0) {
			return true
		}
	}
	return false
}
