package template

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// shape is what the form of a YAML scalar depends on.
type shape struct {
	newline       bool
	leading       bool // begins with a space or break
	trailingSpace bool
	trailingBreak bool
	spaceBreak    bool // a break follows a space
	breakSpace    bool // a space follows a break
	indicator     bool // could be taken for something else than text
}

// shapeOf analyses a string; ok is false if it has characters that need care.
func shapeOf(s string) (sh shape, ok bool) {
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		sh.indicator = true
	}
	white, prevSpace, prevBreak := true, false, false
	for i, w := 0, 0; i < len(s); i += w {
		c := s[i]
		w = 1
		switch {
		case c == '\n':
			sh.newline = true
			sh.leading = sh.leading || i == 0
			sh.trailingBreak = i == len(s)-1
			sh.spaceBreak = sh.spaceBreak || prevSpace
			prevSpace, prevBreak, white = false, true, true
			continue
		case c == ' ':
			sh.leading = sh.leading || i == 0
			sh.trailingSpace = i == len(s)-1
			sh.breakSpace = sh.breakSpace || prevBreak
			prevSpace, prevBreak, white = true, false, true
			continue
		case c < 0x20, c == 0x7f:
			return sh, false
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r <= 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r >= 0xFFFD {
				return sh, false
			}
			w = n
		case i == 0:
			switch c {
			case '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
				sh.indicator = true
			case '?', ':', '-':
				sh.indicator = sh.indicator || blankAt(s, 1)
			}
		case c == ':':
			sh.indicator = sh.indicator || blankAt(s, i+1)
		case c == '#':
			sh.indicator = sh.indicator || white
		}
		prevSpace, prevBreak, white = false, false, false
	}
	return sh, true
}

// blankAt reports whether s ends at i or has a blank there.
func blankAt(s string, i int) bool {
	return i >= len(s) || s[i] == ' ' || s[i] == '\t'
}

// scalar writes a string, as a key or as a value.
func (w *yamlWriter) scalar(s string, key bool) bool {
	if s == "" {
		return w.word(`""`)
	}
	if len(s) > 4096 {
		w.run.reserve(price{result: int64(len(s)), scratch: 4 * int64(len(s)), work: int64(len(s)) / 4})
		w.run.account.Release(int64(len(s)))
	}
	sh, ok := shapeOf(s)
	if !ok {
		return false
	}
	outer := w.indent
	if w.indent < 0 {
		w.indent = yamlStep
	} else {
		w.indent += yamlStep
	}
	switch {
	case sh.newline:
		if sh.trailingSpace || sh.spaceBreak || key {
			w.double(s, !key)
		} else {
			w.literal(s)
		}
	case yamlread.Typed(s):
		w.double(s, !key)
	case sh.indicator || sh.leading || sh.trailingSpace:
		w.single(s, !key)
	default:
		w.plain(s, !key)
	}
	w.indent = outer
	return true
}

func (w *yamlWriter) plain(s string, fold bool) {
	w.space()
	if !fold || w.column()+len(s) <= yamlWidth {
		w.out = append(w.out, s...)
	} else {
		spaces := false
		for i := range len(s) {
			if s[i] != ' ' {
				w.out = append(w.out, s[i])
				spaces = false
				continue
			}
			if !spaces && s[i+1] != ' ' && w.column() > yamlWidth {
				w.indention = false
				w.line()
			} else {
				w.out = append(w.out, ' ')
			}
			spaces = true
		}
	}
	w.white, w.indention = false, false
}

func (w *yamlWriter) single(s string, fold bool) {
	w.space()
	w.out = append(w.out, '\'')
	spaces := false
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ':
			if fold && !spaces && i > 0 && i < len(s)-1 && s[i+1] != ' ' && w.column() > yamlWidth {
				w.indention = false
				w.line()
			} else {
				w.out = append(w.out, ' ')
			}
			spaces = true
			continue
		case '\'':
			w.out = append(w.out, c, c)
		default:
			w.out = append(w.out, c)
		}
		spaces = false
	}
	w.out = append(w.out, '\'')
	w.white, w.indention = false, false
}

func (w *yamlWriter) double(s string, fold bool) {
	w.space()
	w.out = append(w.out, '"')
	spaces := false
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ':
			if fold && !spaces && i > 0 && i < len(s)-1 && w.column() > yamlWidth {
				w.indention = false
				w.line()
				if s[i+1] == ' ' {
					w.out = append(w.out, '\\')
				}
			} else {
				w.out = append(w.out, ' ')
			}
			spaces = true
			continue
		case '\n':
			w.out = append(w.out, '\\', 'n')
		case '"', '\\':
			w.out = append(w.out, '\\', c)
		default:
			w.out = append(w.out, c)
		}
		spaces = false
	}
	w.out = append(w.out, '"')
	w.white, w.indention = false, false
}

func (w *yamlWriter) literal(s string) {
	w.space()
	w.out = append(w.out, '|')
	if s[0] == ' ' || s[0] == '\n' {
		w.out = append(w.out, '0'+yamlStep)
	}
	switch {
	case s[len(s)-1] != '\n':
		w.out = append(w.out, '-')
	case len(s) == 1 || s[len(s)-2] == '\n':
		w.out = append(w.out, '+')
	}
	w.breakLine()
	w.white, w.indention = true, true
	for len(s) > 0 {
		if s[0] == '\n' {
			w.breakLine()
			w.indention = true
			s = s[1:]
			continue
		}
		w.line()
		end := strings.IndexByte(s, '\n')
		if end < 0 {
			end = len(s)
		}
		w.out = append(w.out, s[:end]...)
		w.indention = false
		if s = s[end:]; s != "" {
			w.breakLine()
			w.indention = true
			s = s[1:]
		}
	}
}

// compareNatural orders keys as the YAML library does: letters after all else,
// and runs of digits by their number.
func compareNatural(a, b string) int {
	if naturalLess(a, b) {
		return -1
	}
	if a == b {
		return 0
	}
	return 1
}

func naturalLess(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) < len(b)
	}
	for i > 0 && (!utf8.RuneStart(a[i]) || !utf8.RuneStart(b[i])) {
		i--
	}
	ra, _ := utf8.DecodeRuneInString(a[i:])
	rb, _ := utf8.DecodeRuneInString(b[i:])
	la, lb := unicode.IsLetter(ra), unicode.IsLetter(rb)
	switch {
	case la && lb:
		return ra < rb
	case la || lb:
		return lb
	}
	// A zero within a number counts as a digit of it, a leading one does not.
	var na, nb int64
	if ra == '0' || rb == '0' {
		for j := i; j > 0; {
			r, n := utf8.DecodeLastRuneInString(a[:j])
			if !unicode.IsDigit(r) {
				break
			}
			if r != '0' {
				na, nb = 1, 1
				break
			}
			j -= n
		}
	}
	na, da := number(a[i:], na)
	nb, db := number(b[i:], nb)
	switch {
	case na != nb:
		return na < nb
	case da != db:
		return da < db
	}
	return ra < rb
}

// number reads the digits that s begins with, on top of n.
func number(s string, n int64) (int64, int) {
	digits := 0
	for _, r := range s {
		if !unicode.IsDigit(r) {
			break
		}
		n = n*10 + int64(r-'0')
		digits++
	}
	return n, digits
}
