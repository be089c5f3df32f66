package diff

import "slices"

// Exceeds returns the fields of now that c shows neither with their value nor as
// Unknown: what a change becomes beyond what was shown once the unknown is known.
// Of what c has and now lacks it says nothing, because that may be done already.
// Hidden values of secrets count as equal, and so do what the API server fills in
// where c is Local, which shows none of it.
func (c Change) Exceeds(now Change) []Field {
	s := shownFields{local: c.Local}
	for _, f := range c.Fields {
		p, err := parsePath(f.Path)
		if err != nil {
			continue // covers nothing
		}
		s.at = append(s.at, shownField{p, f})
	}
	var out []Field
	for _, f := range now.Fields {
		p, err := parsePath(f.Path)
		if err != nil || !s.covers(p, f) {
			out = append(out, f)
		}
	}
	return out
}

type shownField struct {
	path  path
	field Field
}

type shownFields struct {
	at    []shownField
	local bool
}

func (s shownFields) covers(p path, f Field) bool {
	if f.Cause == Default {
		return s.local || slices.ContainsFunc(s.at, func(g shownField) bool {
			n := min(len(p), len(g.path))
			return matchPath(g.path[:n], p[:n])
		})
	}
	return s.value(p, f.Desired)
}

// value reports whether v at p is what is shown there.
func (s shownFields) value(p path, v any) bool {
	below := false
	for _, g := range s.at {
		if len(g.path) > len(p) {
			below = below || matchPath(g.path[:len(p)], p)
			continue
		}
		if matchPath(g.path, p[:len(g.path)]) && s.agrees(down(g.field.Desired, p[len(g.path):]), v) {
			return true
		}
	}
	return below && s.parts(p, v)
}

// parts reports whether each part of v is what is shown below p.
func (s shownFields) parts(p path, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if !s.value(append(p[:len(p):len(p)], step{kind: stepField, name: k}), e) {
				return false
			}
		}
		return true
	case []any:
		for _, e := range v {
			if !slices.ContainsFunc(s.at, func(g shownField) bool {
				if len(g.path) <= len(p) || !matchPath(g.path[:len(p)], p) {
					return false
				}
				item := g.path[len(p)]
				return (item.matches(e) || item.isUnknown()) && s.value(append(p[:len(p):len(p)], item), e)
			}) {
				return false
			}
		}
		return true
	}
	return false
}

// down is the value below v at the steps; what is below an Unknown is unknown.
func down(v any, steps path) any {
	for _, s := range steps {
		if _, ok := v.(Unknown); ok {
			return v
		}
		next := s.down(v)
		if m, ok := v.(map[string]any); ok && next == nil {
			next = m[unknownText]
		}
		if l, ok := v.([]any); ok && next == nil && slices.ContainsFunc(l, hasUnknown) {
			next = Unknown{}
		}
		v = next
	}
	return v
}

// agrees reports whether v is what was shown, apart from what was unknown in it.
func (s shownFields) agrees(shown, v any) bool {
	switch w := shown.(type) {
	case Unknown:
		return true
	case map[string]any:
		v, ok := v.(map[string]any)
		if !ok {
			return false
		}
		_, anyKey := w[unknownText].(Unknown)
		for k, e := range v {
			if is, ok := w[k]; !ok && !anyKey || ok && !s.agrees(is, e) {
				return false
			}
		}
		for k, e := range w {
			if _, ok := v[k]; !ok && !isUnknown(e) {
				return false
			}
		}
		return true
	case []any:
		v, ok := v.([]any)
		if !ok || len(v) != len(w) {
			return false
		}
		for i := range w {
			if !s.agrees(w[i], v[i]) {
				return false
			}
		}
		return true
	case nil:
		return v == nil
	case string:
		if v, ok := v.(string); ok && isPlaceholder(w) && isPlaceholder(v) {
			return true
		}
	}
	return scalarEqual(shown, v) || s.local && isScalar(v) && v != nil && quantityEqual(shown, v)
}

func isUnknown(v any) bool {
	_, ok := v.(Unknown)
	return ok
}

// isUnknown reports whether the key of the step is shown as unknown.
func (s step) isUnknown() bool {
	switch s.kind {
	case stepField:
		return s.name == unknownText
	case stepElement:
		return s.value == unknownText
	case stepItem:
		return slices.ContainsFunc(s.keys, func(kv keyValue) bool { return kv.value == unknownText })
	}
	return false
}

// matchPath reports whether p is the path that is shown, in which keys may be
// unknown.
func matchPath(shown, p path) bool {
	if len(shown) != len(p) {
		return false
	}
	for i, s := range shown {
		if s.isUnknown() && s.kind == p[i].kind {
			continue
		}
		if (path{s}).String() != (path{p[i]}).String() {
			return false
		}
	}
	return true
}
