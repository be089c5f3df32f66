package redact

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Span is a part of a text that shows a secret value.
type Span struct {
	From, To int
	Value    string
	// Whole is set if the value is hidden only where it is a whole field.
	Whole bool
}

const (
	maxNested = 3  // encodings inside of each other
	effort    = 60 // bytes looked at for each byte of a text
	fixedCost = 1 << 16
)

// Spans returns what of a text shows a value, sorted and without overlaps. Found
// are values in any case; with other space in them or between their lines;
// with the escapes of JSON, Go, YAML, shells, URLs and HTML; in base64 and
// base32, in both alphabets, without padding, wrapped, and where something else
// is encoded before or behind the value; in hexadecimal, also with colons or
// spaces; as a list of numbers; and up to three of these inside of each other.
//
// A text that takes too much to search through, as only one made for that does,
// is one span.
func (s *Set) Spans(text string) []Span {
	if s.Empty() || len(text) < minWhole {
		return nil
	}
	if value, ok := s.Whole(text); ok {
		return []Span{{0, len(text), value, true}}
	}
	scan := scan{set: s, text: text, budget: fixedCost + effort*len(text)}
	scan.fields()
	if len(s.starts)+len(s.literals) > 0 && len(text) >= minSecret && len(text) < math.MaxInt32 {
		scan.chars(charsOf(text), nil, 0)
	}
	if scan.budget < 0 || len(text) >= math.MaxInt32 {
		return []Span{{To: len(text)}}
	}
	return Merge(scan.spans)
}

// scan is one search.
type scan struct {
	set    *Set
	text   string
	budget int // bytes that may still be looked at
	spans  []Span

	scratch []byte
}

// chars searches a form of the text, and what can be decoded from it. Encoded by
// e, what is found is hidden with the rest of the digits around it.
func (s *scan) chars(c chars, e *encoding, depth int) {
	for range maxUnescaped {
		s.form(&c, e, depth)
		next, changed := c.unescaped()
		if !changed || s.budget < 0 {
			return
		}
		c = next
	}
	s.form(&c, e, depth)
}

func (s *scan) form(c *chars, e *encoding, depth int) {
	if s.budget -= len(c.b); s.budget < 0 {
		return
	}
	for _, literal := range s.set.literals {
		s.budget -= len(c.b) / 8
		for i := 0; ; {
			j := bytes.Index(c.b[i:], []byte(literal))
			if j < 0 {
				break
			}
			s.found(c, i+j, i+j+len(literal), literal, e)
			i += j + len(literal)
		}
	}
	sq := c.squeeze(false)
	s.search(&sq, false, e)
	if !ascii(c.b) {
		wide := c.squeeze(true)
		s.search(&wide, true, e)
	}
	if depth == maxNested {
		return
	}
	deeper := func(decoded chars, e *encoding) {
		if s.budget < 0 {
			return
		}
		s.form(&decoded, e, maxNested)
		for i, j := range texts(decoded.b) {
			s.chars(chars{decoded.b[i:j], decoded.from[i:j], decoded.to[i:j]}, e, depth+1)
		}
	}
	s.runs(&sq, deeper)
	c.decimals(deeper)
}

func (s *scan) search(sq *squeezed, wide bool, e *encoding) {
	t := folded(sq.b, wide)
	for i := 0; i < len(t) && s.budget >= 0; {
		if i = s.set.next(t, i); i < 0 {
			return
		}
		from, to, value := s.set.match(t, sq, i, &s.budget)
		if to == 0 {
			i++
			continue
		}
		s.found(&sq.chars, from, to, value, e)
		// What reaches beyond this one has a value or a piece that begins near its
		// end.
		i = max(i+1, to-minExcerpt+1)
	}
}

// found notes that the bytes i to j of c show a value.
func (s *scan) found(c *chars, i, j int, value string, e *encoding) {
	from, to := int(slices.Min(c.from[i:j])), int(slices.Max(c.to[i:j]))
	if e != nil {
		for from > 0 && e.digit(s.text[from-1]) {
			from--
		}
		for to < len(s.text) && e.digit(s.text[to]) {
			to++
		}
		if padded := len(s.text) - len(strings.TrimLeft(s.text[to:], "=")) - to; j-i == len(c.b) && strings.TrimSpace(string(c.b)) == strings.TrimSpace(value) {
			to += padded
		}
	}
	s.spans = append(s.spans, Span{From: from, To: to, Value: value})
}

// Merge returns the spans of one text sorted and without overlaps. It changes
// the slice.
func Merge(spans []Span) []Span {
	slices.SortStableFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To))
	})
	out := spans[:0]
	for _, f := range spans {
		if n := len(out); n > 0 && f.From < out[n-1].To {
			out[n-1].To, out[n-1].Whole = max(out[n-1].To, f.To), out[n-1].Whole && f.Whole
			continue
		}
		out = append(out, f)
	}
	return out
}

// minText is the length from which something may be encoded in a part of what
// was decoded.
const minText = 8

// texts returns where the parts of b are that are text: what is encoded may have
// other letters before it, which decode to anything.
func texts(b []byte) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i := 0; i < len(b); {
			j := i
			for j < len(b) {
				r, size := utf8.DecodeRune(b[j:])
				if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
					break
				}
				j += size
			}
			if j-i >= minText && !yield(i, j) {
				return
			}
			i = j + 1
		}
	}
}

func hasText(b []byte) bool {
	for range texts(b) {
		return true
	}
	return false
}

// isText reports whether all of b is text.
func isText(b []byte) bool {
	for i, j := range texts(b) {
		return i == 0 && j == len(b)
	}
	return false
}
