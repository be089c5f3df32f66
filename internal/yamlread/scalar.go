package yamlread

import (
	"math"
	"strconv"
	"strings"
)

// inline reads the value that stands on the line of its key or dash, or begins
// there, inside of a block at the indentation, and goes to the line after it.
func (r *reader) inline(s string, indent int) any {
	var v any
	switch s[0] {
	case '|':
		return r.literal(s, indent)
	case '"', '\'':
		text, rest, ok := quoted(s)
		if !ok || !ends(rest) {
			r.fail()
			return nil
		}
		v = text
	case '{', '[':
		value, rest, ok := r.flow(s, 0)
		if !ok || !ends(rest) {
			r.fail()
			return nil
		}
		v = value
	default:
		v = r.plain(s)
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail() // a text of several lines
	}
	return v
}

// ends says that nothing but a comment follows a value.
func ends(rest string) bool {
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(rest)
}

func (r *reader) plain(s string) any {
	if !startsPlain(s) {
		r.fail()
		return nil
	}
	if i := strings.Index(s, " #"); i >= 0 {
		s = strings.TrimRight(s[:i], " ")
	}
	if colon(s) >= 0 {
		r.fail()
		return nil
	}
	switch s {
	case "true":
		return true
	case "false":
		return false
	case "null", "~":
		return nil
	}
	if !Typed(s) {
		return s
	}
	if n, ok := r.number(s); ok {
		return n
	}
	r.fail()
	return nil
}

// number reads a decimal number in its common form.
func (r *reader) number(s string) (any, bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if !decimal(whole) || len(digits) > 15 || len(whole) > 1 && whole[0] == '0' || point && !decimal(fraction) {
		return nil, false
	}
	if !point && r.integers {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	// JSON has but one zero, and writes whole numbers without a fraction.
	if f == 0 {
		f = 0
		if digits != s {
			return nil, false
		}
	}
	if r.integers && f == math.Trunc(f) {
		return int64(f), err == nil
	}
	return f, err == nil
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// quoted reads a quoted text that ends on its line. It is false where it does
// not, or has escapes beyond the common ones.
func quoted(s string) (text, rest string, ok bool) {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote && quote == '\'' && i+1 < len(s) && s[i+1] == quote,
			s[i] == '\\' && quote == '"':
			return escaped(s, i)
		case s[i] == quote:
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// escaped reads on from the first escape.
func escaped(s string, at int) (text, rest string, ok bool) {
	quote := s[0]
	var b strings.Builder
	b.WriteString(s[1:at])
	for i := at; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote == '"':
			i++
			if i == len(s) {
				return "", "", false
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '"', '\\':
				b.WriteByte(s[i])
			default:
				return "", "", false
			}
		case c == quote && quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			b.WriteByte(c)
			i++
		case c == quote:
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// literal reads a block that begins with |, and goes to the line after it.
func (r *reader) literal(header string, indent int) any {
	header = strings.TrimRight(header, " ")
	rest := header[1:]
	chomp := byte(0)
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		chomp, rest = rest[0], rest[1:]
	}
	if !ends(rest) {
		r.fail()
		return nil
	}
	inner, ok := r.literalIndent(indent)
	if !ok {
		r.fail()
		return nil
	}
	begin, last := r.next, r.next
	var b strings.Builder
	b.Grow(r.literalSize(inner))
	blanks, broken := 0, false
	for r.next < len(r.text) {
		before := r.next
		line := r.takeLine()
		spaces := leadingSpaces(line)
		if spaces == len(line) && spaces <= inner {
			if r.text[r.next-1] == '\n' {
				blanks++
			}
			continue
		}
		if spaces < inner {
			r.next = before
			break
		}
		for ; blanks > 0; blanks-- {
			b.WriteByte('\n')
		}
		b.WriteString(line[inner:])
		last = r.next
		if broken = r.text[r.next-1] == '\n'; broken {
			b.WriteByte('\n')
		}
	}
	if last == begin {
		r.fail()
		return nil
	}
	text := b.String()
	switch {
	case chomp == '-' && broken:
		text = text[:len(text)-1]
	case chomp == '+':
		text += strings.Repeat("\n", blanks)
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail()
	}
	return text
}

// literalSize is how long the text of a literal block is, without blank lines at
// its end, or somewhat more.
func (r *reader) literalSize(inner int) int {
	size, blanks := 0, 0
	for at := r.next; at < len(r.text); {
		line := r.text[at:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		at += len(line)
		spaces := leadingSpaces(line)
		switch {
		case strings.TrimLeft(line[spaces:], "\n") == "":
			blanks += max(len(line)-inner, 1)
		case spaces < inner:
			return size
		default:
			size, blanks = size+blanks+len(line)-inner, 0
		}
	}
	return size
}

// literalIndent looks for the first line of a literal block, inside of a block
// at the indentation.
func (r *reader) literalIndent(indent int) (int, bool) {
	most := 0
	for at := r.next; at < len(r.text); {
		line := r.text[at:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		at += len(line) + 1
		spaces := leadingSpaces(line)
		if spaces == len(line) {
			most = max(most, spaces)
			continue
		}
		return spaces, spaces > indent && spaces >= most && line[spaces] != '\t'
	}
	return 0, false
}
