package template

import (
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strings"
)

// span is the cost of a sequence of numbers of each bytes. One that would wrap
// around at the end of the integers has no end.
func span(r *Run, start, stop, step int, each int64) price {
	if step == 0 || (stop < start) != (step < 0) {
		return price{}
	}
	distance, stride := float64(stop)-float64(start), float64(step)
	n := math.Ceil(distance / stride)
	if end := float64(start) + n*stride; end >= math.MaxInt64 || end < math.MinInt64 {
		n = math.MaxInt64 / 64
	}
	items := int64(min(n, math.MaxInt64/1024))
	return price{result: times(items, 8), scratch: times(items, each-8), items: items, work: items / 4}
}

func seqCost(r *Run, a []value) price {
	const each = 80 // digits and the header of each text
	n := make([]int, len(a))
	for i := range a {
		n[i] = take[int](a[i])
	}
	switch len(n) {
	case 1:
		step := 1
		if n[0] < 1 {
			step = -1
		}
		return span(r, 1, n[0], step, each)
	case 2:
		step := 1
		if n[1] < n[0] {
			step = -1
		}
		return span(r, n[0], n[1], step, each)
	case 3:
		return span(r, n[0], n[2], n[1], each)
	}
	return price{}
}

// lengthOf is the number of elements of a list, 0 for what is none.
func lengthOf(v value) int64 {
	switch t := v.v.(type) {
	case []any:
		return int64(len(t))
	case []string:
		return int64(len(t))
	case []int:
		return int64(len(t))
	}
	rv := v.content().reflect()
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array {
		return int64(rv.Len())
	}
	return 0
}

// lists is the cost of a function that returns a list of the elements of its
// lists, with one more for each argument.
func lists(r *Run, a []value) price {
	n := int64(len(a))
	for i := range a {
		n += lengthOf(a[i])
	}
	return price{result: itemBytes*n + 24, scratch: (itemBytes + boxBytes) * n, items: n, work: n / 2}
}

// listed is how long a value is as a list of texts, as join makes it.
func listed(r *Run, v value) (size extent, items int64) {
	switch t := v.v.(type) {
	case []string:
		for _, s := range t {
			size.bytes += int64(len(s))
		}
		r.work(int64(len(t)) / 16)
		return size, int64(len(t))
	case string:
		return extent{bytes: int64(len(t)), nodes: 1}, 1
	}
	return r.written(&shown, []value{v}), max(1, lengthOf(v))
}

func listCosts() map[string]cost {
	table := map[string]cost{
		"list":  ownList,
		"tuple": ownList,
		"join": func(r *Run, a []value) price {
			size, n := listed(r, a[1])
			bytes := size.bytes + times(int64(len(textOf(a[0]))), n)
			return price{result: bytes, scratch: size.bytes + itemBytes*n, work: n/4 + bytes/64}
		},
		"toStrings": func(r *Run, a []value) price {
			if _, ok := a[0].v.([]string); ok {
				return price{}
			}
			size, n := listed(r, a[0])
			return price{result: size.bytes + textBytes*n, items: n, work: n / 4}
		},
		"sortAlpha": func(r *Run, a []value) price {
			size, n := listed(r, a[0])
			log := int64(bits.Len64(uint64(n)))
			return price{
				result: textBytes*n + 24, scratch: size.bytes, items: n,
				work: times(n, log) + times(size.bytes/16, log),
			}
		},
		"split":     splits(func(a []value) int64 { return math.MaxInt64 }, entryBytes+2*textBytes),
		"splitList": splits(func(a []value) int64 { return math.MaxInt64 }, textBytes),
		"splitn": splits(func(a []value) int64 {
			if n := take[int](a[1]); n >= 0 {
				return int64(n)
			}
			return math.MaxInt64
		}, entryBytes+2*textBytes),
		"chunk":     chunks,
		"mustChunk": chunks,
		"slice":     slicing,
		"mustSlice": slicing,
	}
	for _, name := range strings.Fields(`append push prepend concat rest initial reverse compact`) {
		table[name] = lists
		table["must"+strings.ToUpper(name[:1])+name[1:]] = lists
	}
	delete(table, "mustConcat") // there is none
	return table
}

// ownList is the cost of a list of the arguments, which were values before.
func ownList(_ *Run, a []value) price {
	n := int64(len(a))
	p := price{result: listBytes + itemBytes*n}
	if n > 64 {
		p.scratch = 3 * itemBytes * n
	}
	return p
}

// splits is the cost of a function that splits its last text by its first into
// at most a number of parts.
func splits(most func(a []value) int64, each int64) cost {
	return func(r *Run, a []value) price {
		s := textOf(a[len(a)-1])
		if len(s) <= 8 {
			return price{result: mapSize(9)}
		}
		n := min(int64(strings.Count(s, textOf(a[0])))+1, max(0, most(a)))
		return price{result: mapSize(0) + each*n, items: n, work: int64(len(s))/8 + n}
	}
}

func chunks(r *Run, a []value) price {
	n, size := lengthOf(a[1]), int64(max(1, take[int](a[0])))
	return price{result: itemBytes*n + 40*(n/size+1), scratch: boxBytes * n, items: n/size + 1, work: n / 2}
}

// slicing is the cost of slice: its indices are converted to numbers.
func slicing(r *Run, a []value) price { return converts(r, a[1:]) }

func mapCosts() map[string]cost {
	table := map[string]cost{
		"dict": func(r *Run, a []value) price {
			p := price{result: mapSize(int64(len(a)+1) / 2)}
			for i := 0; i < len(a); i += 2 {
				if _, ok := a[i].v.(string); !ok {
					p.scratch += r.taken(&shown, a[i:i+1]).bytes
				}
			}
			return p
		},
		"set": func(r *Run, a []value) price {
			m := take[map[string]any](a[0])
			if m == nil {
				return price{}
			}
			var bytes int64
			if _, ok := m[textOf(a[1])]; !ok {
				switch n := len(m); {
				case n == 0:
					bytes = groupBytes
				case n >= smallMap:
					bytes = entryBytes
				}
			}
			r.charge(bytes)
			return price{}
		},
		"unset": nil,
		"pluck": func(r *Run, a []value) price {
			n := int64(len(a))
			return price{result: 24 + itemBytes*n, work: n}
		},
		"keys":   keyList,
		"values": keyList,
		"pick": func(r *Run, a []value) price {
			return price{result: mapSize(min(int64(len(a)), int64(len(take[map[string]any](a[0]))))), work: int64(len(a))}
		},
		"omit": func(r *Run, a []value) price {
			n := int64(len(take[map[string]any](a[0])))
			return price{result: mapSize(n), scratch: mapSize(int64(len(a))), work: 2*n + int64(len(a))}
		},
		"deepCopy":     copies,
		"mustDeepCopy": copies,
	}
	for _, name := range strings.Fields("merge mustMerge mergeOverwrite mustMergeOverwrite") {
		table[name] = mergeCost
	}
	return table
}

// keyList is the cost of a list of all keys or values, in order.
func keyList(r *Run, a []value) price {
	var n, bytes int64
	for i := range a {
		m := take[map[string]any](a[i])
		n += int64(len(m))
		for k := range m {
			bytes += int64(len(k))
		}
	}
	log := int64(bits.Len64(uint64(n)))
	return price{result: 24 + itemBytes*n, scratch: textBytes * n, items: n, work: times(n+bytes/16, log)}
}

func copies(r *Run, a []value) price {
	e := r.taken(&copied, a)
	return price{result: e.bytes, scratch: 2 * e.bytes, work: 16 * e.nodes}
}

// mergeCost walks through the maps as a merge does: into what both have.
func mergeCost(r *Run, a []value) price {
	m := merging{run: r}
	for i := 1; i < len(a); i++ {
		m.into(take[map[string]any](a[0]), a[i].any(), 0)
	}
	// What is entered stays in the first map.
	r.charge(m.bytes)
	return price{work: 8 * m.nodes}
}

type merging struct {
	run          *Run
	bytes, nodes int64
}

func (m *merging) into(dst any, src any, depth int) {
	from, ok := src.(map[string]any)
	if !ok {
		m.other(src)
		return
	}
	to, ok := dst.(map[string]any)
	if !ok {
		m.other(dst)
		return
	}
	if depth >= m.run.nesting {
		m.run.tooDeep()
	}
	m.nodes += int64(len(from))
	if m.nodes > walkEvery {
		m.run.work(8 * m.nodes)
		m.nodes = 0
	}
	added := int64(0)
	for k, v := range from {
		switch old, ok := to[k]; {
		case !ok:
			added++
		case v != nil && old != nil && isMap(v):
			m.into(old, v, depth+1)
		}
	}
	if added > 0 {
		m.bytes += mapSize(int64(len(to))+added) - mapSize(int64(len(to)))
	}
}

// other looks through what is no plain map, as a merge may by reflection.
func (m *merging) other(v any) {
	if v == nil || slices.Contains(scalarKinds, reflect.TypeOf(v).Kind()) {
		return
	}
	e := m.run.taken(&copied, []value{of(v)})
	m.nodes += e.nodes
	m.bytes += e.bytes
}

var scalarKinds = []reflect.Kind{reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64, reflect.Slice}

func isMap(v any) bool {
	switch v.(type) {
	case map[string]any:
		return true
	case string, bool, int, int64, float64, []any, []string:
		return false
	}
	k := reflect.TypeOf(v).Kind()
	return k == reflect.Map || k == reflect.Struct || k == reflect.Pointer
}
