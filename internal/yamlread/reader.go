package yamlread

import (
	"strings"
	"unicode/utf8"
)

// Numbers says which Go types numbers become.
type Numbers bool

const (
	// Floats makes float64 of all numbers, as encoding/json does.
	Floats Numbers = false
	// Integers makes int64 of whole numbers, as Kubernetes does.
	Integers Numbers = true
)

// Mapping reads one document that is a mapping: maps, slices, strings, booleans,
// numbers, nil. It is false for texts that are not of the simple kind, which
// may be good YAML or not.
func Mapping(text string, numbers Numbers) (map[string]any, bool) {
	if !plainText(text) {
		return nil, false
	}
	r := reader{text: text, integers: bool(numbers)}
	r.advance()
	if r.end || r.failed || isDash(r.line) {
		return nil, false
	}
	m := r.mapping(r.indent, 0)
	if r.failed || !r.end {
		return nil, false
	}
	return m, true
}

// maxDepth is how deep simple documents nest.
const maxDepth = 64

// maxKey is how long simple keys are. YAML itself has a bound of 1024.
const maxKey = 512

// plainText says that there is no character that YAML treats in a special way
// wherever it stands.
func plainText(text string) bool {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r < 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r >= 0xFFFD && r < 0x10000 {
			return false
		}
		i += n
	}
	return true
}

// reader stands at a line that is neither blank nor a comment.
type reader struct {
	text     string
	integers bool
	next     int    // where the line after this one begins
	indent   int    // of this line, in spaces
	line     string // what follows the indentation, without spaces at its end
	end      bool   // there is no such line
	failed   bool   // this is not a simple text
}

func (r *reader) fail() { r.failed, r.end = true, true }

// advance goes to the next line.
func (r *reader) advance() {
	for !r.end {
		if r.next >= len(r.text) {
			r.end = true
			return
		}
		line := r.takeLine()
		indent := leadingSpaces(line)
		if indent == len(line) || line[indent] == '#' {
			continue
		}
		if indent == 0 && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")) || strings.IndexByte(line, '\t') >= 0 {
			r.fail()
			return
		}
		r.indent, r.line = indent, strings.TrimRight(line[indent:], " ")
		return
	}
}

func (r *reader) takeLine() string {
	rest := r.text[r.next:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		r.next += i + 1
		return rest[:i]
	}
	r.next = len(r.text)
	return rest
}

func leadingSpaces(line string) int {
	n := 0
	for n < len(line) && line[n] == ' ' {
		n++
	}
	return n
}

func isDash(line string) bool {
	return line[0] == '-' && (len(line) == 1 || line[1] == ' ')
}

// block reads the mapping or sequence that begins at this line.
func (r *reader) block(depth int) any {
	switch {
	case depth > maxDepth:
		r.fail()
		return nil
	case isDash(r.line):
		return r.sequence(r.indent, depth)
	}
	return r.mapping(r.indent, depth)
}

func (r *reader) mapping(indent, depth int) map[string]any {
	m := make(map[string]any)
	for !r.end && r.indent == indent {
		key, rest, ok := splitKey(r.line)
		if _, double := m[key]; !ok || double || isDash(r.line) {
			r.fail()
			return nil
		}
		if rest == "" || rest[0] == '#' {
			r.advance()
			switch {
			case r.end || r.indent < indent || r.indent == indent && !isDash(r.line):
				m[key] = nil
			case r.indent == indent:
				m[key] = r.sequence(indent, depth+1)
			default:
				m[key] = r.block(depth + 1)
			}
		} else {
			m[key] = r.inline(rest, indent)
		}
	}
	if !r.end && r.indent > indent {
		r.fail()
	}
	return m
}

func (r *reader) sequence(indent, depth int) []any {
	items := []any{}
	if depth > maxDepth {
		r.fail()
	}
	for !r.end && r.indent == indent && isDash(r.line) {
		rest := strings.TrimLeft(r.line[1:], " ")
		if rest == "" || rest[0] == '#' {
			r.advance()
			if !r.end && r.indent > indent {
				items = append(items, r.block(depth+1))
			} else {
				items = append(items, nil)
			}
			continue
		}
		if _, _, mapped := splitKey(rest); mapped || isDash(rest) {
			// The rest of the line is the first of a block of its own.
			r.indent += len(r.line) - len(rest)
			r.line = rest
			items = append(items, r.block(depth+1))
		} else {
			items = append(items, r.inline(rest, indent))
		}
	}
	if !r.end && r.indent > indent {
		r.fail()
	}
	return items
}

// splitKey cuts a line into a key and what follows the colon. It is false where
// there is no key, or none that is surely text.
func splitKey(line string) (key, rest string, ok bool) {
	if line[0] == '"' || line[0] == '\'' {
		key, rest, ok = quoted(line)
		if !ok {
			return "", "", false
		}
		rest = strings.TrimLeft(rest, " ")
		if rest == "" || rest[0] != ':' || len(rest) > 1 && rest[1] != ' ' {
			return "", "", false
		}
		rest = rest[1:]
	} else {
		at := colon(line)
		if at <= 0 || !startsPlain(line) {
			return "", "", false
		}
		key, rest = strings.TrimRight(line[:at], " "), line[at+1:]
		if Typed(key) || key == "<<" || key == "=" {
			return "", "", false
		}
	}
	return key, strings.TrimLeft(rest, " "), len(line)-len(rest) < maxKey
}

// colon is where the colon after a key is, -1 if there is none before a comment.
func colon(line string) int {
	for i := range len(line) {
		switch line[i] {
		case ':':
			if i+1 == len(line) || line[i+1] == ' ' {
				return i
			}
		case '#':
			if i > 0 && line[i-1] == ' ' {
				return -1
			}
		}
	}
	return -1
}

// startsPlain says that no indicator begins the text.
func startsPlain(s string) bool {
	switch s[0] {
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return false
	case '-', '?', ':':
		return len(s) > 1 && s[1] != ' '
	}
	return true
}
