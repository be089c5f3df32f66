package yamlread

import (
	"math/bits"
	"strings"
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
	return mapping(text, lookAt(text), numbers)
}

func mapping(text string, seen look, numbers Numbers) (map[string]any, bool) {
	if seen.special {
		return nil, false
	}
	r := reader{text: text, tabs: seen.tabs, integers: bool(numbers)}
	return r.document()
}

func (r *reader) document() (map[string]any, bool) {
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

// reader stands at a line that is neither blank nor a comment.
type reader struct {
	text     string
	integers bool
	tabs     bool   // the text has tabs
	start    int    // where this line begins
	next     int    // where the line after this one begins
	indent   int    // of this line, in spaces
	line     string // what follows the indentation, without spaces at its end
	end      bool   // there is no such line
	failed   bool   // this is not a simple text
	folded   []byte // the scalar of several lines that is being read
	nodes    int64  // that were skipped: see [Decoder.Outline]
}

func (r *reader) fail() { r.failed, r.end = true, true }

// advance goes to the next line.
func (r *reader) advance() {
	for !r.end {
		if r.next >= len(r.text) {
			r.end = true
			return
		}
		start := r.next
		indent := leadingSpaces(r.text[start:])
		var line string
		line, r.next = r.lineAt(start + indent)
		if line == "" || line[0] == '#' {
			continue
		}
		if indent == 0 && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")) || r.hasTab(line) {
			r.fail()
			return
		}
		r.start, r.indent, r.line = start, indent, trimSpaces(line)
		return
	}
}

// lineAt returns the line that begins there, without its end, and where the one after
// it begins.
func (r *reader) lineAt(at int) (line string, after int) {
	rest := r.text[at:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		return rest[:i], at + i + 1
	}
	return rest, len(r.text)
}

func (r *reader) hasTab(line string) bool { return r.tabs && strings.IndexByte(line, '\t') >= 0 }

func leadingSpaces(line string) int {
	n := 0
	for len(line)-n >= 8 {
		if other := eightBytes(line[n:]) ^ ' '*everyByte; other != 0 {
			return n + bits.TrailingZeros64(other)/8
		}
		n += 8
	}
	for n < len(line) && line[n] == ' ' {
		n++
	}
	return n
}

// everyByte has a one in each byte.
const everyByte = 0x0101010101010101

// eightBytes returns the first eight bytes of a text that has them, the first one lowest.
func eightBytes(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// skipSpaces returns what follows the spaces, which are few.
func skipSpaces(s string) string {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	return s
}

func trimSpaces(line string) string {
	for line != "" && line[len(line)-1] == ' ' {
		line = line[:len(line)-1]
	}
	return line
}

func isDash(line string) bool {
	return line[0] == '-' && (len(line) == 1 || line[1] == ' ')
}

// block reads the mapping or sequence that begins at this line, inside of a block at
// the indentation.
func (r *reader) block(outer, depth int) any {
	if depth > maxDepth {
		r.fail()
		return nil
	}
	if isDash(r.line) {
		return r.sequence(r.indent, depth)
	}
	if c := r.line[0]; c == '{' || c == '[' {
		return r.inline(r.line, outer)
	}
	return r.mapping(r.indent, depth)
}

func (r *reader) mapping(indent, depth int) map[string]any {
	m := make(map[string]any)
	for !r.end && r.indent == indent {
		key, rest, ok := splitKey(r.line)
		if !ok || isDash(r.line) {
			r.fail()
			return nil
		}
		var v any
		if rest == "" || rest[0] == '#' {
			r.advance()
			switch {
			case r.end || r.indent < indent || r.indent == indent && !isDash(r.line):
			case r.indent == indent:
				v = r.sequence(indent, depth+1)
			default:
				v = r.block(indent, depth+1)
			}
		} else {
			v = r.inline(rest, indent)
		}
		m[key] = v // of a key that stands there twice, the last one counts
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
		rest := skipSpaces(r.line[1:])
		if rest == "" || rest[0] == '#' {
			r.advance()
			if !r.end && r.indent > indent {
				items = append(items, r.block(indent, depth+1))
			} else {
				items = append(items, nil)
			}
			continue
		}
		if _, _, mapped := splitKey(rest); mapped || isDash(rest) {
			// The rest of the line is the first of a block of its own.
			r.indent += len(r.line) - len(rest)
			r.line = rest
			items = append(items, r.block(indent, depth+1))
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
		key, rest = trimSpaces(line[:at]), line[at+1:]
		if Typed(key) || key == "<<" || key == "=" {
			return "", "", false
		}
	}
	rest = skipSpaces(rest)
	return key, rest, len(line)-len(rest) < maxKey
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

// hasKey reports whether a colon makes a key of the text, which has no comment.
func hasKey(text string) bool { return strings.IndexByte(text, ':') >= 0 && colon(text) >= 0 }

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
