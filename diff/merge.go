package diff

import (
	"maps"
	"slices"
)

// merge returns the structural three-way merge: live, overlaid with what is
// desired, without what was in base and is no longer desired. What another
// manager owns is not removed. The result shares parts with the arguments, which
// are not changed.
func (c *comparer) merge(b, l, d any) any {
	switch {
	case d == nil:
		return c.prune(b, l)
	case l == nil:
		return d
	}
	switch l := l.(type) {
	case map[string]any:
		d, ok := d.(map[string]any)
		if !ok {
			break
		}
		if n := c.node(); n.Atomic {
			if c.equal(l, d) {
				return l
			}
			return d
		}
		return c.mergeMaps(b, l, d)
	case []any:
		if d, ok := d.([]any); ok {
			return c.mergeLists(b, l, d)
		}
	default:
		if c.equal(l, d) {
			return l
		}
	}
	return d
}

func (c *comparer) mergeMaps(b any, l, d map[string]any) any {
	bm, _ := b.(map[string]any)
	out := make(map[string]any, len(l)+len(d))
	for _, k := range keysOf(l, d) {
		c.enter(step{kind: stepField, name: k})
		if v := c.merge(bm[k], l[k], d[k]); v != nil {
			out[k] = v
		}
		c.leave()
	}
	return out
}

func (c *comparer) mergeLists(b any, l, d []any) any {
	n := c.node()
	switch {
	case len(n.Keys) > 0:
		li, lok := c.index(n, l)
		di, dok := c.index(n, d)
		bi, bok := c.index(n, b)
		if lok && dok && bok {
			return c.mergeItems(bi, li, di)
		}
	case n.Set:
		out := slices.Clone(l)
		bl, _ := b.([]any)
		out = slices.DeleteFunc(out, func(v any) bool {
			if has(d, v) || !has(bl, v) {
				return false
			}
			c.enter(step{kind: stepElement, value: v})
			defer c.leave()
			return c.owners.other(c.at) == nil
		})
		for _, v := range d {
			if !has(out, v) {
				out = append(out, v)
			}
		}
		return out
	}
	// A list that is replaced as a whole. The live one has defaults that desired
	// lacks; where the items can be matched by index, these are kept, or such a
	// list would change at every comparison.
	if len(l) == len(d) && allMaps(l) && allMaps(d) {
		bl, _ := b.([]any)
		out := make([]any, len(l))
		for i := range l {
			c.enter(step{kind: stepIndex, index: i})
			var bi any
			if len(bl) == len(l) {
				bi = bl[i]
			}
			out[i] = c.merge(bi, l[i], d[i])
			c.leave()
		}
		return out
	}
	if c.equal(l, d) {
		return l
	}
	return d
}

// mergeItems merges lists by key. Desired items come in their own order; those
// that are only in live stay after the item that they followed.
func (c *comparer) mergeItems(b, l, d *items) any {
	follow := map[string][]any{} // by the id of the desired item before them
	last := ""
	for _, id := range l.order {
		it := l.byID[id]
		if d.byID[id].value != nil {
			last = id
			continue
		}
		c.enter(it.step)
		if v := c.prune(b.byID[id].value, it.value); v != nil {
			follow[last] = append(follow[last], v)
		}
		c.leave()
	}
	out := append(make([]any, 0, len(d.order)+len(l.order)), follow[""]...)
	for _, id := range d.order {
		it := d.byID[id]
		c.enter(it.step)
		out = append(out, c.merge(b.byID[id].value, l.byID[id].value, it.value))
		c.leave()
		out = append(out, follow[id]...)
	}
	return out
}

// prune returns what is left of l where nothing is desired and b was applied.
func (c *comparer) prune(b, l any) any {
	if b == nil || l == nil {
		return l
	}
	bm, bok := b.(map[string]any)
	lm, lok := l.(map[string]any)
	below := c.owners.othersBelow(c.at)
	if bok && lok && (below || c.node().Free || len(c.at) == 0) {
		out := make(map[string]any, len(lm))
		for _, k := range keysOf(lm, nil) {
			c.enter(step{kind: stepField, name: k})
			if v := c.prune(bm[k], lm[k]); v != nil {
				out[k] = v
			}
			c.leave()
		}
		if len(out) == 0 {
			return nil
		}
		if len(c.at) > 0 {
			// The remainder of a list item keeps its keys.
			for _, kv := range c.at[len(c.at)-1].keys {
				if v := lm[kv.name]; v != nil {
					out[kv.name] = v
				}
			}
		}
		return out
	}
	n := c.node()
	if len(n.Keys) > 0 {
		li, ok1 := c.index(n, l)
		bi, ok2 := c.index(n, b)
		if ok1 && ok2 {
			if out := c.mergeItems(bi, li, &items{}).([]any); len(out) > 0 {
				return out
			}
			return nil
		}
	}
	if below && c.owners.other(c.at) != nil {
		return l
	}
	return nil
}

// items is a list merged by key: its items by a text of their keys.
type items struct {
	order []string
	byID  map[string]item
}

type item struct {
	step  step
	value any
}

// index returns the items of v. It returns false where v is not a list, or an
// item lacks a key or repeats another's: such a list is atomic.
func (c *comparer) index(n Node, v any) (*items, bool) {
	if v == nil {
		return &items{}, true
	}
	l, ok := v.([]any)
	if !ok {
		return &items{}, false
	}
	out := &items{order: make([]string, 0, len(l)), byID: make(map[string]item, len(l))}
	for _, e := range l {
		m, ok := e.(map[string]any)
		if !ok {
			return &items{}, false
		}
		st := step{kind: stepItem, keys: make([]keyValue, 0, len(n.Keys))}
		for _, k := range n.Keys {
			v := m[k]
			if v == nil {
				v = n.Defaults[k]
			}
			if v == nil || !isScalar(v) {
				return &items{}, false
			}
			st.keys = append(st.keys, keyValue{k, v})
		}
		slices.SortFunc(st.keys, func(a, b keyValue) int {
			if a.name < b.name {
				return -1
			}
			return 1
		})
		id := path{st}.String()
		if _, dup := out.byID[id]; dup {
			return &items{}, false
		}
		out.order = append(out.order, id)
		out.byID[id] = item{st, e}
	}
	return out, true
}

func keysOf(x, y map[string]any) []string {
	keys := slices.AppendSeq(make([]string, 0, len(x)+len(y)), maps.Keys(x))
	for k := range y {
		if _, ok := x[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func has(l []any, v any) bool {
	return slices.ContainsFunc(l, func(e any) bool { return scalarEqual(e, v) })
}

func allMaps(l []any) bool {
	for _, e := range l {
		if _, ok := e.(map[string]any); !ok {
			return false
		}
	}
	return len(l) > 0
}
