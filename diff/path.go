package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// step is one element of a path: a field, an item of a list found by its
// keys, an element of a set, or an item found by its index.
type step struct {
	kind  stepKind
	name  string     // field
	keys  []keyValue // item, sorted by name
	value any        // element
	index int        // index
}

type stepKind int

const (
	stepField stepKind = iota
	stepItem
	stepElement
	stepIndex
)

type keyValue struct {
	name  string
	value any
}

type path []step

// String returns the path in Kubernetes' notation.
func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch s.kind {
		case stepField:
			if !plainName(s.name) {
				b.WriteByte('[')
				b.WriteString(strconv.Quote(s.name))
				b.WriteByte(']')
				continue
			}
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		case stepItem:
			b.WriteByte('[')
			for j, kv := range s.keys {
				if j > 0 {
					b.WriteByte(',')
				}
				b.WriteString(kv.name)
				b.WriteByte('=')
				b.WriteString(scalarText(kv.value))
			}
			b.WriteByte(']')
		case stepElement:
			b.WriteString("[=")
			b.WriteString(scalarText(s.value))
			b.WriteByte(']')
		case stepIndex:
			fmt.Fprintf(&b, "[%d]", s.index)
		}
	}
	return b.String()
}

// scalarText formats a scalar so that parseScalar can parse it.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func plainName(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return true
}

// PathError is returned for a path that cannot be parsed.
type PathError struct {
	Path   string
	Offset int    // in bytes
	Want   string // what was expected at Offset
}

func (e *PathError) Error() string {
	return fmt.Sprintf("invalid path %q: expected %s at byte %d", e.Path, e.Want, e.Offset)
}

// parsePath is the inverse of path.String.
func parsePath(s string) (path, error) {
	var p path
	rest := s
	fail := func(want string) (path, error) {
		return nil, &PathError{Path: s, Offset: len(s) - len(rest), Want: want}
	}
	for rest != "" {
		if rest[0] != '[' {
			if len(p) > 0 {
				if rest[0] != '.' {
					return fail("'.' or '['")
				}
				rest = rest[1:]
			}
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			if !plainName(rest[:n]) {
				return fail("a field name of letters, digits, '-' and '_' (others are quoted in brackets)")
			}
			p = append(p, step{kind: stepField, name: rest[:n]})
			rest = rest[n:]
			continue
		}
		rest = rest[1:]
		st, n, want := parseBracket(rest)
		if want != "" {
			return fail(want)
		}
		p = append(p, st)
		rest = rest[n:]
	}
	return p, nil
}

// parseBracket parses what follows an opening bracket, up to the closing one.
func parseBracket(s string) (st step, n int, want string) {
	closed := func(st step, n int) (step, int, string) {
		if n >= len(s) || s[n] != ']' {
			return st, n, "']'"
		}
		return st, n + 1, ""
	}
	if s == "" {
		return st, 0, "a quoted name, an index or a key"
	}
	switch c := s[0]; {
	case c == '"':
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return st, 0, "a quoted name"
		}
		name, err := strconv.Unquote(q)
		if err != nil {
			return st, 0, "a quoted name"
		}
		return closed(step{kind: stepField, name: name}, len(q))
	case c == '=':
		v, k, ok := parseScalar(s[1:])
		if !ok {
			return st, 0, "a value after '='"
		}
		return closed(step{kind: stepElement, value: v}, 1+k)
	case c >= '0' && c <= '9':
		k := 0
		for k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		i, err := strconv.Atoi(s[:k])
		if err != nil {
			return st, 0, "an index"
		}
		return closed(step{kind: stepIndex, index: i}, k)
	}
	st = step{kind: stepItem}
	for {
		eq := strings.IndexByte(s[n:], '=')
		if eq <= 0 || !plainName(s[n:n+eq]) {
			return st, n, "key=value"
		}
		v, k, ok := parseScalar(s[n+eq+1:])
		if !ok {
			return st, n, "a value after '='"
		}
		st.keys = append(st.keys, keyValue{s[n : n+eq], v})
		n += eq + 1 + k
		if n < len(s) && s[n] == ',' {
			n++
			continue
		}
		return closed(st, n)
	}
}

func parseScalar(s string) (v any, n int, ok bool) {
	if strings.HasPrefix(s, `"`) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, 0, false
		}
		u, err := strconv.Unquote(q)
		return u, len(q), err == nil
	}
	n = strings.IndexAny(s, ",]")
	if n < 0 {
		n = len(s)
	}
	switch t := s[:n]; t {
	case "true":
		return true, n, true
	case "false":
		return false, n, true
	default:
		if i, err := strconv.ParseInt(t, 10, 64); err == nil {
			return i, n, true
		}
		f, err := strconv.ParseFloat(t, 64)
		return f, n, err == nil
	}
}

// matches reports whether item, an item of a list, is the one that s identifies.
// A key that is missing in the item has its default, if there is one.
func (s step) matches(item any) bool {
	switch s.kind {
	case stepElement:
		return scalarEqual(item, s.value)
	case stepItem:
		m, ok := item.(map[string]any)
		if !ok {
			return false
		}
		for _, kv := range s.keys {
			v := m[kv.name]
			if v == nil {
				v = keyDefaults[kv.name]
			}
			if v == nil || !scalarEqual(v, kv.value) {
				return false
			}
		}
		return true
	}
	return false
}

// down returns the value one step below v, nil if there is none.
func (s step) down(v any) any {
	switch s.kind {
	case stepField:
		m, _ := v.(map[string]any)
		return m[s.name]
	case stepIndex:
		if l, _ := v.([]any); s.index < len(l) {
			return l[s.index]
		}
		return nil
	}
	l, _ := v.([]any)
	if i := slices.IndexFunc(l, s.matches); i >= 0 {
		return l[i]
	}
	return nil
}

// Lookup returns a copy of the value at path in u, in the notation of [Field].
// It is not found if any part of the path is absent or null. For a path that
// cannot be parsed the error is a [*PathError].
func Lookup(u *unstructured.Unstructured, path string) (value any, found bool, err error) {
	p, err := parsePath(path)
	if err != nil || u == nil {
		return nil, false, err
	}
	var v any = u.Object
	for _, s := range p {
		if v = s.down(v); v == nil {
			return nil, false, nil
		}
	}
	value, err = plain(v)
	return value, value != nil, err
}
