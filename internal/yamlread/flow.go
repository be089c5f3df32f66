package yamlread

import "strings"

// flow reads a list or mapping in brackets that ends on its line, with quoted
// texts and words in it.
func (r *reader) flow(s string, depth int) (v any, rest string, ok bool) {
	switch {
	case s == "" || depth > maxDepth:
		return nil, "", false
	case s[0] == '[':
		return r.flowList(s[1:], depth)
	case s[0] == '{':
		return r.flowMap(s[1:], depth)
	case s[0] == '"' || s[0] == '\'':
		return unpacked(quoted(s))
	}
	n := wordLength(s)
	if n == 0 {
		return nil, "", false
	}
	v = r.scalar(s[:n])
	return v, s[n:], !r.failed
}

// wordLength is how many characters belong to a word in brackets: those that
// mean nothing there.
func wordLength(s string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '/'
		if !letter && (n == 0 || c != '.' && c != '-') {
			break
		}
		n++
	}
	return n
}

func (r *reader) flowList(s string, depth int) (any, string, bool) {
	items := []any{}
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "]") {
		return items, s[1:], true
	}
	for {
		item, rest, ok := r.flow(s, depth+1)
		if !ok {
			return nil, "", false
		}
		items = append(items, item)
		rest, more, ok := separated(rest, ']')
		if !ok || !more {
			return items, rest, ok
		}
		s = rest
	}
}

func (r *reader) flowMap(s string, depth int) (any, string, bool) {
	m := map[string]any{}
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "}") {
		return m, s[1:], true
	}
	for {
		key, rest, ok := flowKey(s)
		if !ok {
			return nil, "", false
		}
		value, rest, ok := r.flow(rest, depth+1)
		if !ok {
			return nil, "", false
		}
		m[key] = value
		rest, more, ok := separated(rest, '}')
		if !ok || !more {
			return m, rest, ok
		}
		s = rest
	}
}

// flowKey reads a key with its colon and the space after it.
func flowKey(s string) (key, rest string, ok bool) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if key, rest, ok = quoted(s); !ok {
			return "", "", false
		}
	} else {
		n := wordLength(s)
		if n == 0 || Typed(s[:n]) {
			return "", "", false
		}
		key, rest = s[:n], s[n:]
	}
	rest, found := strings.CutPrefix(rest, ": ")
	return key, strings.TrimLeft(rest, " "), found && len(key) < maxKey
}

// separated goes on behind a comma, or behind the end of the brackets.
func separated(s string, end byte) (rest string, more, ok bool) {
	s = strings.TrimLeft(s, " ")
	switch {
	case s == "":
		return "", false, false
	case s[0] == end:
		return s[1:], false, true
	case s[0] == ',':
		return strings.TrimLeft(s[1:], " "), true, true
	}
	return "", false, false
}

func unpacked(text, rest string, ok bool) (any, string, bool) { return text, rest, ok }
