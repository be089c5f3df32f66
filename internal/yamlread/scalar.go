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
	case '|', '>':
		return r.blockScalar(s, indent)
	case '"', '\'':
		text, rest, ok := quoted(s)
		if !ok {
			text, rest, ok = r.quotedLines(s, indent)
		}
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
		v = r.plain(s, indent)
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail() // a comment, or something in brackets, that more lines follow
	}
	return v
}

// ends says that nothing but a comment follows a value.
func ends(rest string) bool {
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(rest)
}

// plain reads a scalar without quotes over all its lines.
func (r *reader) plain(s string, indent int) any {
	if !startsPlain(s) {
		r.fail()
		return nil
	}
	s, commented := cutComment(s)
	if hasKey(s) {
		r.fail()
		return nil
	}
	if !commented {
		s = r.plainLines(s, indent)
	}
	return r.scalar(s)
}

// cutComment cuts off the comment at the end of a line.
func cutComment(s string) (text string, commented bool) {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '#')
		if i < 0 {
			return s, false
		}
		if from += i; from > 0 && s[from-1] == ' ' {
			return strings.TrimRight(s[:from], " "), true
		}
		from++
	}
}

// scalar returns the value of a scalar without quotes.
func (r *reader) scalar(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	case "null", "~":
		return nil
	// Boxed without an allocation: half of the scalars of a CRD.
	case "string":
		return "string"
	case "object":
		return "object"
	case "array":
		return "array"
	case "integer":
		return "integer"
	case "boolean":
		return "boolean"
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
	if !decimal(whole) || point && len(digits) > 15 || len(whole) > 1 && whole[0] == '0' || point && !decimal(fraction) {
		return nil, false
	}
	if !point {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || r.integers {
			return n, err == nil
		}
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
