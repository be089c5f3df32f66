package diff

import "slices"

// comparer walks the states of one object in parallel and records where the live
// one and the merged one differ.
type comparer struct {
	obj     Object
	schema  Schema
	owners  *owners
	force   bool
	takes   func(manager, path string) bool
	native  bool // the API server serves the kind itself
	created bool // there is no live object

	at     path     // the current path
	names  []string // the same for the schema
	whole  *verdict // the cause of the enclosing list that is replaced as a whole
	fields []Field
}

func (c *comparer) enter(s step) {
	c.at = append(c.at, s)
	if s.kind == stepField {
		c.names = append(c.names, s.name)
	} else {
		c.names = append(c.names, "[]")
	}
}

func (c *comparer) leave() {
	c.at = c.at[:len(c.at)-1]
	c.names = c.names[:len(c.names)-1]
}

func (c *comparer) node() Node { return c.schema.Node(c.obj, c.names) }

// walk records the differences between l and m at c.at and below.
func (c *comparer) walk(b, l, d, m any) {
	lm, lok := l.(map[string]any)
	mm, mok := m.(map[string]any)
	switch {
	case l == nil && m == nil:
	case lok && mok, l == nil && c.expands(d, mm):
		bm, _ := b.(map[string]any)
		dm, _ := d.(map[string]any)
		for _, k := range keysOf(lm, mm) {
			c.enter(step{kind: stepField, name: k})
			c.walk(bm[k], lm[k], dm[k], mm[k])
			c.leave()
		}
	case l == nil:
		c.add(b, d, m)
	case m == nil:
		c.note(b, l, d, nil)
	default:
		ll, lok := l.([]any)
		ml, mok := m.([]any)
		if lok && mok {
			c.walkLists(b, ll, d, ml)
		} else if !c.equal(l, m) {
			c.note(b, l, d, m)
		}
	}
}

// expands reports whether a map that is absent in live is listed field by field.
// A struct with several fields is more readable as one field; a map of free
// keys, the top-level fields of a new object, and a chain of single fields are
// not.
func (c *comparer) expands(d any, m map[string]any) bool {
	if len(m) == 0 {
		return false
	}
	if len(c.at) < 2 || c.node().Free {
		return true
	}
	dm, ok := d.(map[string]any)
	return ok && len(dm) == 1 || !ok && len(m) == 1
}

func (c *comparer) walkLists(b any, l []any, d any, m []any) {
	n := c.node()
	switch {
	case len(n.Keys) > 0:
		li, lok := c.index(n, l)
		mi, mok := c.index(n, m)
		bi, bok := c.index(n, b)
		di, dok := c.index(n, d)
		if lok && mok && bok && dok {
			c.walkItems(bi, li, di, mi)
			return
		}
	case n.Set:
		bl, _ := b.([]any)
		dl, _ := d.([]any)
		in := func(l []any, v any) any {
			if has(l, v) {
				return v
			}
			return nil
		}
		for _, v := range unique(m, l) {
			if has(l, v) != has(m, v) {
				c.enter(step{kind: stepElement, value: v})
				c.note(in(bl, v), in(l, v), in(dl, v), in(m, v))
				c.leave()
			}
		}
		return
	}
	if c.equal(l, m) {
		return
	}
	if len(l) != len(m) || !allMaps(l) || !allMaps(m) {
		c.note(b, l, d, m)
		return
	}
	// Replaced as a whole, but listed item by item: one cause for all.
	outer := c.whole
	if c.whole == nil {
		v := c.cause(b, l, d, m)
		c.whole = &v
	}
	bl, _ := b.([]any)
	dl, _ := d.([]any)
	nth := func(o []any, i int) any {
		if len(o) == len(l) {
			return o[i]
		}
		return nil
	}
	for i := range l {
		c.enter(step{kind: stepIndex, index: i})
		c.walk(nth(bl, i), l[i], nth(dl, i), m[i])
		c.leave()
	}
	c.whole = outer
}

func (c *comparer) walkItems(b, l, d, m *items) {
	for _, id := range m.order {
		it := m.byID[id]
		c.enter(it.step)
		if old := l.byID[id].value; old != nil {
			c.walk(b.byID[id].value, old, d.byID[id].value, it.value)
		} else {
			c.add(b.byID[id].value, d.byID[id].value, it.value)
		}
		c.leave()
	}
	for _, id := range l.order {
		if it := l.byID[id]; m.byID[id].value == nil {
			c.enter(it.step)
			c.note(b.byID[id].value, it.value, d.byID[id].value, nil)
			c.leave()
		}
	}
	before, after := l.shared(m), m.shared(l)
	if slices.Equal(before, after) {
		return
	}
	v := c.orderCause(b.shared(m), before, d.shared(l), after)
	c.fields = append(c.fields, Field{
		Path: c.at.String(), Live: l.keyTexts(before), Desired: m.keyTexts(after),
		Cause: v.cause, Reordered: true,
	})
}

func (c *comparer) orderCause(b, l, d, m []string) verdict {
	switch {
	case c.whole != nil:
		return *c.whole
	case !slices.Equal(d, m) || len(d) == 0:
		return verdict{cause: Default}
	case slices.Equal(b, d):
		return verdict{cause: Drift}
	}
	return verdict{cause: Chart}
}

// shared returns the ids of x that are also in y, in the order of x.
func (x *items) shared(y *items) []string {
	var out []string
	for _, id := range x.order {
		if _, ok := y.byID[id]; ok {
			out = append(out, id)
		}
	}
	return out
}

// keyTexts returns the keys of items, as in the brackets of a path.
func (x *items) keyTexts(ids []string) []any {
	out := make([]any, 0, len(ids))
	for _, id := range ids {
		out = append(out, id[1:len(id)-1])
	}
	return out
}

// add records the value m where live has none: its desired part as one field,
// and what the server fills in below it separately.
func (c *comparer) add(b, d, m any) {
	if d == nil {
		c.note(b, nil, nil, m)
		return
	}
	var filled []Field
	own := c.split(d, m, &filled)
	c.note(b, nil, d, own)
	c.fields = append(c.fields, filled...)
}

// split returns the part of m that is in d; the rest is appended to filled.
func (c *comparer) split(d, m any, filled *[]Field) any {
	fill := func(v any) {
		*filled = append(*filled, Field{Path: c.at.String(), Desired: v, Cause: Default})
	}
	switch m := m.(type) {
	case map[string]any:
		d, ok := d.(map[string]any)
		if !ok {
			return m
		}
		out := make(map[string]any, len(d))
		for _, k := range keysOf(m, nil) {
			c.enter(step{kind: stepField, name: k})
			switch {
			case d[k] != nil:
				out[k] = c.split(d[k], m[k], filled)
			case c.isKey(k):
				out[k] = m[k]
			default:
				fill(m[k])
			}
			c.leave()
		}
		return out
	case []any:
		d, ok := d.([]any)
		if !ok {
			return m
		}
		if n := c.node(); len(n.Keys) > 0 {
			mi, mok := c.index(n, m)
			di, dok := c.index(n, d)
			if !mok || !dok {
				return m
			}
			out := make([]any, 0, len(m))
			for _, id := range mi.order {
				it := mi.byID[id]
				c.enter(it.step)
				if want := di.byID[id].value; want != nil {
					out = append(out, c.split(want, it.value, filled))
				} else {
					fill(it.value)
				}
				c.leave()
			}
			return out
		}
		if len(d) != len(m) {
			return m
		}
		out := make([]any, len(m))
		for i := range m {
			c.enter(step{kind: stepIndex, index: i})
			out[i] = c.split(d[i], m[i], filled)
			c.leave()
		}
		return out
	}
	return m
}

// isKey reports whether the field k, at the current path, is one of the keys of
// the list item that contains it.
func (c *comparer) isKey(k string) bool {
	if len(c.at) < 2 {
		return false
	}
	for _, kv := range c.at[len(c.at)-2].keys {
		if kv.name == k {
			return true
		}
	}
	return false
}

// note records one difference.
func (c *comparer) note(b, l, d, m any) {
	v := c.cause(b, l, d, m)
	f := Field{Path: c.at.String(), Base: b, Live: l, Desired: m, Cause: v.cause}
	if v.owner != nil {
		f.Manager, f.Time = v.owner.manager, v.owner.time
	}
	c.fields = append(c.fields, f)
}

func unique(lists ...[]any) []any {
	var out []any
	for _, l := range lists {
		for _, v := range l {
			if !has(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}
