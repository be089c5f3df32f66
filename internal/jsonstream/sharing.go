package jsonstream

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Sharing decodes values that have much in common with others, and takes no
// memory for that: what stands in another value at the same place and is equal
// is not decoded but found. What it returns is read-only, as the others are.
// The zero Sharing is good to use, by one goroutine.
type Sharing struct {
	keys map[string]string // of the maps made so far
}

// Decode decodes one value of valid JSON, in which no object has a member
// twice, with the types of Kubernetes: whole numbers are int64, others float64.
// One and two, of the same types, are what it may have parts of; nil: nothing.
func (s *Sharing) Decode(text []byte, one, two any) (any, error) {
	if !utf8.Valid(text) { // as in encoding/json, each such byte becomes the replacement character
		text = []byte(string([]rune(string(text))))
	}
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	r := reader{text: text, keys: s.keys}
	v, _, _, err := r.value(one, two)
	return v, err
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
	seen []string // members of the objects around, up to here
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

// value decodes the value that comes next, and says whether it is equal to one
// and to two; if it is, it is that very value.
func (r *reader) value(one, two any) (v any, isOne, isTwo bool, err error) {
	switch r.next() {
	case '{':
		return r.object(one, two)
	case '[':
		return r.array(one, two)
	case '"':
		quoted := r.quoted()
		isOne, isTwo = isText(quoted, one), isText(quoted, two)
		if !isOne && !isTwo {
			v = unescaped(quoted)
		}
	default:
		if v, err = scalar(r.word()); err != nil {
			return nil, false, false, err
		}
		isOne, isTwo = one == v, two == v // of which each is a scalar, or of another type
	}
	return either(v, one, two, isOne, isTwo), isOne, isTwo, nil
}

func either(v, one, two any, isOne, isTwo bool) any {
	switch {
	case isOne:
		return one
	case isTwo:
		return two
	}
	return v
}

// object makes a map only when a member is like neither's.
func (r *reader) object(one, two any) (any, bool, bool, error) {
	first, isOne := one.(map[string]any)
	second, isTwo := two.(map[string]any)
	var out map[string]any
	begun := len(r.seen)
	defer func() { r.seen = r.seen[:begun] }()
	copied := func() {
		out = map[string]any{}
		for _, key := range r.seen[begun:] { // which are all like one's, or all like two's
			if isOne {
				out[key] = first[key]
			} else {
				out[key] = second[key]
			}
		}
	}
	for r.at++; r.more('}'); {
		key := r.key()
		likeOne, hasOne := first[key]
		likeTwo, hasTwo := second[key]
		v, sameOne, sameTwo, err := r.value(likeOne, likeTwo)
		if err != nil {
			return nil, false, false, err
		}
		sameOne, sameTwo = sameOne && hasOne && isOne, sameTwo && hasTwo && isTwo
		if out == nil && !sameOne && !sameTwo {
			copied()
		}
		if isOne, isTwo = sameOne, sameTwo; out != nil {
			out[key] = v
		}
		r.seen = append(r.seen, key)
	}
	n := len(r.seen) - begun
	if out == nil && !(isOne && n == len(first)) && !(isTwo && n == len(second)) {
		copied()
	}
	isOne, isTwo = isOne && n == len(first), isTwo && n == len(second)
	return either(out, one, two, isOne, isTwo), isOne, isTwo, nil
}

// key reads the name of a member; equal ones are one text.
func (r *reader) key() string {
	name := r.member()
	key, ok := r.keys[string(name)]
	if !ok {
		key = string(name)
		r.keys[key] = key
	}
	return key
}

// array makes a slice only when an item is like neither's.
func (r *reader) array(one, two any) (any, bool, bool, error) {
	first, isOne := one.([]any)
	second, isTwo := two.([]any)
	var out []any
	n := 0
	copied := func() {
		out = []any{}
		if isOne { // up to here
			out = append(out, first[:n]...)
		} else if isTwo {
			out = append(out, second[:n]...)
		}
	}
	for r.at++; r.more(']'); n++ {
		v, sameOne, sameTwo, err := r.value(item(first, n), item(second, n))
		if err != nil {
			return nil, false, false, err
		}
		sameOne, sameTwo = sameOne && n < len(first) && isOne, sameTwo && n < len(second) && isTwo
		if out == nil && !sameOne && !sameTwo {
			copied()
		}
		if isOne, isTwo = sameOne, sameTwo; out != nil {
			out = append(out, v)
		}
	}
	if out == nil && !(isOne && n == len(first)) && !(isTwo && n == len(second)) {
		copied()
	}
	isOne, isTwo = isOne && n == len(first), isTwo && n == len(second)
	return either(out, one, two, isOne, isTwo), isOne, isTwo, nil
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

// isText reports whether the text between two quotes stands for another.
func isText(quoted []byte, like any) bool {
	text, ok := like.(string)
	for ok {
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
	return false
}

// unescaped is what the text between two quotes stands for.
func unescaped(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted)
	}
	return string(AppendUnescaped(make([]byte, 0, len(quoted)), quoted))
}

// AppendUnescaped appends to out what the text between two quotes of valid JSON
// stands for, in which all bytes are UTF-8.
func AppendUnescaped(out, quoted []byte) []byte {
	for {
		i := bytes.IndexByte(quoted, '\\')
		if i < 0 {
			return append(out, quoted...)
		}
		out = append(out, quoted[:i]...)
		n := 0
		n, out = escape(quoted[i:], out)
		quoted = quoted[i+n:]
	}
}

// escape appends to out what the escape at the beginning of quoted stands for,
// and returns how long the escape is.
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
