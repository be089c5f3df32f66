package jsonstream

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Sharing decodes values that have much in common with others, and takes no
// memory for that: what stands in another value at the same place and is equal
// is not decoded but found. What it answers is read-only, as the others are.
// The zero Sharing is good to use, by one goroutine.
type Sharing struct {
	keys map[string]string // of the maps made so far
}

// Decode decodes one value of valid JSON, in which no object has a member
// twice, with the types of Kubernetes: whole numbers are int64, others float64.
// One and two, of the same types, are what it may have parts of; nil: nothing.
func (s *Sharing) Decode(text []byte, one, two any) (any, error) {
	if !utf8.Valid(text) { // which other decoders mend
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	r := reader{text: text, keys: s.keys}
	return r.value(one, two)
}

// Text is the text at a path of members in valid JSON; empty if there is none.
func Text(text []byte, path ...string) string {
	r := reader{text: text}
	for _, name := range path {
		if r.next() != '{' || !r.find(name) {
			return ""
		}
	}
	if r.next() != '"' {
		return ""
	}
	return unescaped(r.quoted())
}

// reader stands within valid JSON.
type reader struct {
	text []byte
	at   int
	keys map[string]string
}

// next goes to the next character that is no space.
func (r *reader) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\n', '\t', '\r':
			r.at++
		default:
			return c
		}
	}
}

// more goes to the next item of an array or member of an object, or past its
// end.
func (r *reader) more(end byte) bool {
	if r.next() == ',' {
		r.at++
		r.next()
	}
	if r.text[r.at] == end {
		r.at++
		return false
	}
	return true
}

// quoted reads a text: what is between its quotes.
func (r *reader) quoted() []byte {
	from := r.at + 1
	for at := from; ; at++ {
		at += bytes.IndexByte(r.text[at:], '"')
		escapes := 0
		for r.text[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			r.at = at + 1
			return r.text[from:at]
		}
	}
}

// member reads the name of a member, up to its value.
func (r *reader) member() []byte {
	name := r.quoted()
	r.next()
	r.at++ // the colon
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unescaped(name))
	}
	return name
}

// word reads a number, true, false or null.
func (r *reader) word() []byte {
	from := r.at
	for r.at < len(r.text) && bytes.IndexByte([]byte(" \n\t\r,:]}"), r.text[r.at]) < 0 {
		r.at++
	}
	return r.text[from:r.at]
}

// find goes to the value of a member of the object that comes next.
func (r *reader) find(name string) bool {
	for r.at++; r.more('}'); r.skip() {
		if string(r.member()) == name {
			return true
		}
	}
	return false
}

// skip goes past the value that comes next.
func (r *reader) skip() {
	for depth := 0; ; {
		switch r.next() {
		case '{', '[':
			depth++
			r.at++
		case '}', ']':
			depth--
			r.at++
		case ',', ':':
			r.at++
		case '"':
			r.quoted()
		default:
			r.word()
		}
		if depth == 0 {
			return
		}
	}
}

func (r *reader) value(one, two any) (any, error) {
	c, from := r.next(), r.at
	for _, like := range [2]any{one, two} {
		if like != nil && r.is(like) {
			return like, nil
		}
		r.at = from
	}
	switch c {
	case '{':
		one, _ := one.(map[string]any)
		two, _ := two.(map[string]any)
		out := map[string]any{}
		for r.at++; r.more('}'); {
			name := r.member()
			key, ok := r.keys[string(name)]
			if !ok {
				key = string(name)
				r.keys[key] = key
			}
			v, err := r.value(one[key], two[key])
			if err != nil {
				return nil, err
			}
			out[key] = v
		}
		return out, nil
	case '[':
		one, _ := one.([]any)
		two, _ := two.([]any)
		out := []any{}
		for r.at++; r.more(']'); {
			v, err := r.value(item(one, len(out)), item(two, len(out)))
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case '"':
		return unescaped(r.quoted()), nil
	}
	return scalar(r.word())
}

func item(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func scalar(word []byte) (any, error) {
	switch word[0] {
	case 'n':
		return nil, nil
	case 't', 'f':
		return word[0] == 't', nil
	}
	if n, err := strconv.ParseInt(string(word), 10, 64); err == nil {
		return n, nil
	}
	return strconv.ParseFloat(string(word), 64)
}

// is says whether the value that comes next is like another. It is past it
// then, and anywhere if not.
func (r *reader) is(like any) bool {
	c := r.next()
	switch like := like.(type) {
	case map[string]any:
		if c != '{' {
			return false
		}
		n := 0
		for r.at++; r.more('}'); n++ {
			other, ok := like[string(r.member())]
			if !ok || !r.is(other) {
				return false
			}
		}
		return n == len(like)
	case []any:
		if c != '[' {
			return false
		}
		n := 0
		for r.at++; r.more(']'); n++ {
			if n == len(like) || !r.is(like[n]) {
				return false
			}
		}
		return n == len(like)
	case string:
		return c == '"' && isText(r.quoted(), like)
	}
	if c == '{' || c == '[' || c == '"' {
		return false
	}
	v, err := scalar(r.word())
	return err == nil && v == like
}

// isText says whether the text between two quotes stands for another.
func isText(quoted []byte, text string) bool {
	for {
		i := bytes.IndexByte(quoted, '\\')
		if i < 0 {
			return string(quoted) == text
		}
		if i > len(text) || string(quoted[:i]) != text[:i] {
			return false
		}
		var one [utf8.UTFMax]byte
		n, char := escape(quoted[i:], one[:0])
		if text = text[i:]; len(text) < len(char) || string(char) != text[:len(char)] {
			return false
		}
		quoted, text = quoted[i+n:], text[len(char):]
	}
}

// unescaped is what the text between two quotes stands for.
func unescaped(quoted []byte) string {
	i := bytes.IndexByte(quoted, '\\')
	if i < 0 {
		return string(quoted)
	}
	out := make([]byte, 0, len(quoted))
	for ; i >= 0; i = bytes.IndexByte(quoted, '\\') {
		out = append(out, quoted[:i]...)
		n := 0
		n, out = escape(quoted[i:], out)
		quoted = quoted[i+n:]
	}
	return string(append(out, quoted...))
}

// escape appends to out what the escape at the beginning of quoted stands for,
// and answers how long the escape is.
func escape(quoted, out []byte) (int, []byte) {
	switch c := quoted[1]; c {
	case 'b':
		return 2, append(out, '\b')
	case 'f':
		return 2, append(out, '\f')
	case 'n':
		return 2, append(out, '\n')
	case 'r':
		return 2, append(out, '\r')
	case 't':
		return 2, append(out, '\t')
	case 'u':
		char := unit(quoted)
		if !utf16.IsSurrogate(char) {
			return 6, utf8.AppendRune(out, char)
		}
		if len(quoted) >= 12 && quoted[6] == '\\' && quoted[7] == 'u' {
			if both := utf16.DecodeRune(char, unit(quoted[6:])); both != utf8.RuneError {
				return 12, utf8.AppendRune(out, both)
			}
		}
		return 6, utf8.AppendRune(out, utf8.RuneError)
	default:
		return 2, append(out, c)
	}
}

func unit(escape []byte) rune {
	n, err := strconv.ParseUint(string(escape[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError // which is not valid JSON
	}
	return rune(n)
}
