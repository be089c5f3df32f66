package diff

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// MarkUnknown returns the change with Unknown in place of every value that depends
// on something that is not known yet. first and second are the object rendered
// with two different examples of it, and c was computed from first: the fields in
// which the two differ are those that depend on it, whatever a template does to
// the value. nil means that the object is not rendered then. live is the object
// in the cluster, for fields that first happens to leave as they are; nil: there
// is none.
//
// A field that only one of the two has is unknown, too. A key of a map, or of a
// list item, that differs is shown as "(known after apply)". An object that
// changes only by what is unknown becomes Updated.
func (c Change) MarkUnknown(first, second, live *unstructured.Unstructured) (Change, error) {
	a, err := stateOf(c.Object, first)
	if err != nil {
		return c, fmt.Errorf("mark what is unknown in %s: %w", c.Object, err)
	}
	b, err := stateOf(c.Object, second)
	if err != nil {
		return c, fmt.Errorf("mark what is unknown in %s: %w", c.Object, err)
	}
	m := marker{first: a, second: b}
	var fields []Field
	var paths []path
	seen := map[string]bool{}
	for _, f := range c.Fields {
		p, err := parsePath(f.Path)
		if err != nil {
			return c, fmt.Errorf("mark what is unknown in %s: %w", c.Object, err)
		}
		paths = append(paths, p)
		f.Desired = m.desired(p, f.Desired)
		f.Path = m.shown(p).String()
		if f.Path != p.String() {
			f.Desired = Unknown{}
			if seen[f.Path] {
				continue
			}
		}
		seen[f.Path] = true
		fields = append(fields, f)
	}
	if first == nil || second == nil {
		c.Fields = fields
		return c, nil
	}
	more, err := changeOf(first, second, Options{Secrets: NewRedactor(RedactorOptions{})})
	if err != nil {
		return c, fmt.Errorf("mark what is unknown in %s: %w", c.Object, err)
	}
	for _, f := range more.Fields {
		p, err := parsePath(f.Path)
		if err != nil {
			return c, fmt.Errorf("mark what is unknown in %s: %w", c.Object, err)
		}
		at := m.shown(p).String()
		if anyOverlaps(paths, p) || seen[at] || m.replaces(p) {
			continue
		}
		seen[at] = true
		now, _, err := Lookup(live, f.Path)
		if err != nil {
			return c, err
		}
		if now != nil && c.Object.isSecret() {
			now = NewRedactor(RedactorOptions{}).placeholder("")
		}
		fields = append(fields, Field{Path: at, Base: now, Live: now, Desired: Unknown{}, Cause: Chart, Secret: now != nil && c.Object.isSecret()})
	}
	if c.Fields = fields; c.Action == Unchanged && len(fields) > 0 {
		c.Action = Updated
	}
	return c, nil
}

// MarkAllocated returns the change with Unknown in place of what the API server
// chooses anew with each request: what merged, which c was computed with, and
// other, which has other examples there, do not agree on. Unlike MarkUnknown it
// leaves fields as they are that show a part of merged, such as the items of a
// list that come from the manifest.
func (c Change) MarkAllocated(merged, other *unstructured.Unstructured) (Change, error) {
	a, err := stateOf(c.Object, merged)
	if err != nil {
		return c, fmt.Errorf("mark what is allocated in %s: %w", c.Object, err)
	}
	b, err := stateOf(c.Object, other)
	if err != nil {
		return c, fmt.Errorf("mark what is allocated in %s: %w", c.Object, err)
	}
	m := marker{first: a, second: b}
	fields := slices.Clone(c.Fields)
	for i, f := range fields {
		p, err := parsePath(f.Path)
		if err != nil {
			return c, fmt.Errorf("mark what is allocated in %s: %w", c.Object, err)
		}
		if f.Desired == nil || !reflect.DeepEqual(p.find(a), f.Desired) {
			continue
		}
		if shown := m.shown(p).String(); shown != f.Path {
			fields[i].Path, fields[i].Desired = shown, Unknown{}
			continue
		}
		fields[i].Desired = m.desired(p, f.Desired)
	}
	c.Fields = fields
	return c, nil
}

// stateOf is an object as it is compared; nil for nil.
func stateOf(o Object, u *unstructured.Unstructured) (any, error) {
	if u == nil {
		return nil, nil
	}
	v, err := plain(u.Object)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(map[string]any); ok {
		canonicalData(o, m)
	}
	return v, nil
}

// marker finds out what depends on the unknown.
type marker struct{ first, second any }

// desired is the planned value at p with what is unknown in it.
func (m marker) desired(p path, v any) any { return overlaid(v, p.find(m.first), p.find(m.second)) }

// overlaid is v with Unknown where a and b differ.
func overlaid(v, a, b any) any {
	if reflect.DeepEqual(a, b) {
		return v
	}
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		w, also := v.(map[string]any)
		if ok && also {
			return overlaidMap(w, a, b)
		}
	case []any:
		b, ok := b.([]any)
		w, also := v.([]any)
		if !ok || !also || len(a) != len(b) || len(a) != len(w) {
			break
		}
		out := make([]any, len(w))
		for i := range w {
			out[i] = overlaid(w[i], a[i], b[i])
		}
		return out
	}
	return Unknown{}
}

func overlaidMap(v, a, b map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	var onlyFirst, onlySecond []string
	for k := range b {
		if _, ok := a[k]; !ok {
			onlySecond = append(onlySecond, k)
		}
	}
	for k, e := range v {
		was, inFirst := a[k]
		is, inSecond := b[k]
		switch {
		case inFirst && !inSecond:
			onlyFirst = append(onlyFirst, k)
		case inSecond && !inFirst:
		default:
			out[k] = overlaid(e, was, is)
		}
	}
	switch {
	case len(onlyFirst) > 0 && len(onlySecond) > 0:
		out[unknownText] = Unknown{}
	default: // one of them has what the other lacks
		for _, k := range append(onlyFirst, onlySecond...) {
			out[k] = Unknown{}
		}
	}
	return out
}

// shown is p with "(known after apply)" in place of a key that depends on the
// unknown.
func (m marker) shown(p path) path {
	i := m.keyed(p, m.first, m.second)
	if i < 0 {
		return p
	}
	s := p[i]
	switch s.kind {
	case stepField:
		s.name = unknownText
	case stepElement:
		s.value = unknownText
	case stepItem:
		keys := append([]keyValue(nil), s.keys...)
		for j := range keys {
			keys[j].value = unknownText
		}
		s.keys = keys
	}
	return append(p[:i:i], s)
}

// replaces reports whether p is in second only, in place of something that first
// has under another key.
func (m marker) replaces(p path) bool { return m.keyed(p, m.second, m.first) >= 0 }

// keyed is the index of the step of p whose key only one of two states has, while
// the other has another key there; -1: there is none.
func (m marker) keyed(p path, in, notIn any) int {
	a, b := in, notIn
	for i, s := range p {
		above, other := a, b
		if a, b = s.down(a), s.down(b); a == nil {
			return -1
		}
		if b != nil {
			continue
		}
		if s.kind == stepIndex || other == nil || !hasOthers(other, above, s) {
			return -1
		}
		return i
	}
	return -1
}

// hasOthers reports whether a map or list has an entry that other lacks, of the
// kind that s names.
func hasOthers(v, other any, s step) bool {
	switch v := v.(type) {
	case map[string]any:
		m, _ := other.(map[string]any)
		for k := range v {
			if _, ok := m[k]; !ok {
				return true
			}
		}
	case []any:
		l, _ := other.([]any)
		return s.kind != stepField && len(v) >= len(l)
	}
	return false
}

func anyOverlaps(paths []path, p path) bool {
	for _, q := range paths {
		n := min(len(p), len(q))
		if reflect.DeepEqual(p[:n:n], q[:n:n]) {
			return true
		}
	}
	return false
}
