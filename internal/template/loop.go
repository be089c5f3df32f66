package template

import (
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

// rangeStmt is a range in all its forms.
type rangeStmt struct {
	node    parse.Node
	pipe    *pipeline
	list    list
	alt     list
	hasElse bool
}

type entry struct {
	key string
	val any
}

func (s *rangeStmt) exec(r *Run, dot value) signal {
	r.step()
	r.nest(loopFrames)
	r.node = s.node
	mark := len(r.vars)
	v := s.pipe.run(r, dot)
	sig := proceed
	if !s.iterate(r, v) && s.hasElse {
		sig = s.alt.exec(r, dot)
	}
	r.vars = r.vars[:mark]
	r.frames -= loopFrames
	return sig
}

// each runs the body once; it reports whether the loop goes on.
func (s *rangeStmt) each(r *Run, mark int, index, elem value) bool {
	r.step()
	if n := len(s.pipe.decl); n > 0 {
		switch {
		case s.pipe.assign && n > 1:
			r.assign(s.pipe.decl[0], s.pipe.names[0], index)
			r.assign(s.pipe.decl[1], s.pipe.names[1], elem)
		case s.pipe.assign:
			r.assign(s.pipe.decl[0], s.pipe.names[0], elem)
		default:
			r.vars[len(r.vars)-1].v = elem
			if n > 1 {
				r.vars[len(r.vars)-2].v = index
			}
		}
	}
	sig := s.list.exec(r, elem)
	r.vars = r.vars[:mark]
	return sig != breakLoop
}

// iterate reports whether there was anything to iterate over.
func (s *rangeStmt) iterate(r *Run, v value) bool {
	mark := len(r.vars)
	if v.k == plain {
		switch t := v.v.(type) {
		case []any:
			for i := range t {
				if !s.each(r, mark, concrete(i), of(t[i])) {
					break
				}
			}
			return len(t) > 0
		case []string:
			for i := range t {
				if !s.each(r, mark, concrete(i), concrete(t[i])) {
					break
				}
			}
			return len(t) > 0
		case map[string]any:
			return s.overMap(r, mark, t)
		}
	}
	return s.overReflect(r, mark, v)
}

func (s *rangeStmt) overMap(r *Run, mark int, m map[string]any) bool {
	if len(m) == 0 {
		return false
	}
	// The entries are those of now: the body may change the map.
	if len(m) > 64 {
		n := int64(len(m))
		r.reserve(price{scratch: 40 * n, work: n})
	}
	entries := make([]entry, 0, len(m))
	for k, v := range m {
		entries = append(entries, entry{k, v})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	for i := range entries {
		if !s.each(r, mark, concrete(entries[i].key), of(entries[i].val)) {
			break
		}
	}
	return true
}

func (s *rangeStmt) overReflect(r *Run, mark int, v value) bool {
	val, _ := indirect(v.reflect())
	two := len(s.pipe.decl) > 1
	any := false
	switch val.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if two {
			r.errorf("can't use %v to iterate over more than one variable", val)
		}
		return s.overSeq(r, mark, val)
	case reflect.Slice, reflect.Array:
		for i := range val.Len() {
			if !s.each(r, mark, concrete(i), fromReflect(val.Index(i))) {
				break
			}
		}
		return val.Len() > 0
	case reflect.Map:
		if m, ok := stringMap(r, val); ok {
			return s.overMap(r, mark, m)
		}
		for _, e := range sortedEntries(val) {
			if !s.each(r, mark, fromReflect(e[0]), fromReflect(e[1])) {
				break
			}
		}
		return val.Len() > 0
	case reflect.Chan:
		if val.IsNil() {
			return false
		}
		if val.Type().ChanDir() == reflect.SendDir {
			r.errorf("range over send-only channel %v", val)
		}
		for i := 0; ; i++ {
			e, ok := val.Recv()
			if !ok {
				break
			}
			any = true
			if !s.each(r, mark, concrete(i), fromReflect(e)) {
				break
			}
		}
		return any
	case reflect.Func:
		if val.Type().CanSeq() {
			if two {
				r.errorf("can't use %v iterate over more than one variable", val)
			}
			return s.overSeq(r, mark, val)
		}
		if val.Type().CanSeq2() {
			for k, e := range val.Seq2() {
				any = true
				index, elem := fromReflect(k), fromReflect(e)
				if !two {
					index, elem = value{}, index
				}
				if !s.each(r, mark, index, elem) {
					break
				}
			}
			return any
		}
	}
	r.errorf("range can't iterate over %v", val)
	return false
}

// overSeq ranges over values without an index.
func (s *rangeStmt) overSeq(r *Run, mark int, val reflect.Value) bool {
	any := false
	for e := range val.Seq() {
		any = true
		if !s.each(r, mark, value{}, fromReflect(e)) {
			break
		}
	}
	return any
}

// stringMap gives a map of a named type as a plain map, without copying.
func stringMap(r *Run, val reflect.Value) (map[string]any, bool) {
	if !val.CanInterface() {
		return nil, false
	}
	if t := val.Type(); t.Key() != stringType || t.Elem() != anyType {
		return nil, false
	}
	return val.Convert(mapType).Interface().(map[string]any), true
}
