package redact

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxUnescaped is how often a text is unescaped: a JSON document may be a string
// in another one, in a query.
const maxUnescaped = 3

// unescaped returns c with its escapes replaced by what they stand for, and
// whether there are any: those of JSON, Go and shells, of URLs, of HTML, and the
// doubled quotes of YAML.
func (c *chars) unescaped() (chars, bool) {
	if !bytes.ContainsAny(c.b, `\%&'`) {
		return chars{}, false
	}
	out, changed := newChars(len(c.b)), false
	for i := 0; i < len(c.b); {
		text, n := unescape(c.b[i:])
		if n == 0 {
			out.copied(c, i, i+1)
			i++
			continue
		}
		changed = true
		for j := 0; j < len(text); j++ {
			out.add(text[j], c.from[i], c.to[i+n-1])
		}
		i += n
	}
	return out, changed
}

// unescape returns what the escape at the beginning of b stands for, and its
// length; 0: it begins with none.
func unescape(b []byte) (string, int) {
	switch b[0] {
	case '\\':
		return unescapeBackslash(b)
	case '%':
		if n, ok := number(b, 1, 3, 16); ok {
			return string([]byte{byte(n)}), 3
		}
	case '&':
		end := bytes.IndexByte(b[:min(len(b), 12)], ';')
		if end < 0 {
			return "", 0
		}
		entity := string(b[:end+1])
		if text := html.UnescapeString(entity); text != entity {
			return text, len(entity)
		}
	case '\'':
		for _, quoted := range []string{`'\''`, `'"'"'`, `''`} {
			if bytes.HasPrefix(b, []byte(quoted)) {
				return "'", len(quoted)
			}
		}
	}
	return "", 0
}

func unescapeBackslash(b []byte) (string, int) {
	if len(b) == 1 {
		return "", 0
	}
	switch b[1] {
	case 'u':
		n, ok := number(b, 2, 6, 16)
		if !ok {
			break
		}
		if !utf16.IsSurrogate(rune(n)) {
			return string(rune(n)), 6
		}
		if len(b) > 8 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := number(b, 8, 12, 16); ok {
				return string(utf16.DecodeRune(rune(n), rune(low))), 12
			}
		}
		return string(utf8.RuneError), 6
	case 'U':
		if n, ok := number(b, 2, 10, 16); ok && n <= utf8.MaxRune {
			return string(rune(n)), 10
		}
	case 'x':
		if n, ok := number(b, 2, 4, 16); ok {
			return string([]byte{byte(n)}), 4
		}
	case '0', '1', '2', '3':
		if n, ok := number(b, 1, 4, 8); ok {
			return string([]byte{byte(n)}), 4
		}
	}
	if i := strings.IndexByte("nrtbfvae0", b[1]); i >= 0 {
		return "\n\r\t\b\f\v\a\x1b\x00"[i : i+1], 2
	}
	return string(b[1:2]), 2
}

// number reads the digits from i to j.
func number(b []byte, i, j, base int) (uint64, bool) {
	if j > len(b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[i:j]), base, 32)
	return n, err == nil
}
