package redact

import (
	"bytes"
	"strings"
)

const (
	// minSecret is the length from which a value is searched for inside of other
	// texts. Shorter ones ("true", "5432") would hide half of a report.
	minSecret = 6
	// minWhole is the length from which a shorter value is hidden where it is a
	// whole field.
	minWhole = 3
	// minWrapped is the length from which a value is found with other spaces in
	// it than it has.
	minWrapped = 12
	// minExcerpt is the length from which a part of an opaque value is found.
	minExcerpt = 32

	// piece is the length of the pieces of a long value that are looked up, and
	// stride their distance: any excerpt of minExcerpt bytes has one in it.
	piece  = 24
	stride = minExcerpt - piece + 1
)

// Set is the values to search for. The zero value has none. It must not be
// changed any more once it is searched.
type Set struct {
	// starts are the first bytes of all values and pieces, with the lengths of
	// the values that begin so, as bits; bit 0 stands for pieces.
	starts map[uint64]uint32
	filter []uint64              // a bit for each start, for most of what is none
	short  map[string]shortValue // folded and squeezed, less than minExcerpt
	pieces map[[piece]byte]place
	long   []longValue
	// whole are values that are hidden where they are a whole field, folded.
	whole   map[string]string
	longest int // of whole
	// literals are values that are mostly space, searched for as they are.
	literals []string

	seen map[string]bool // what was learned
}

type shortValue struct {
	value string
	width int // with the spaces in it; 0: any
}

// longValue is a value of at least minExcerpt bytes, folded and squeezed.
type longValue struct {
	text  []byte
	least int // the length of the excerpts that are hidden
	value string
}

// place is where a piece is in a long value.
type place struct{ value, at int32 }

// Empty reports whether there is nothing to search for.
func (s *Set) Empty() bool {
	return s == nil || len(s.starts) == 0 && len(s.whole) == 0 && len(s.literals) == 0
}

// opaque and structured are the least lengths of excerpts: of a structured value
// only the leaves are secret, so that it is found as a whole alone.
const (
	opaque     = minExcerpt
	structured = 1 << 30
)

// add adds a value in all forms that are not found by decoding the text.
func (s *Set) add(value string, least int) {
	c := charsOf(value)
	for range maxUnescaped {
		for _, wide := range []bool{false, true} {
			sq := c.squeeze(wide)
			s.addSqueezed(folded(sq.b, wide), &sq, value, least)
			if ascii(c.b) {
				break
			}
		}
		next, changed := c.unescaped()
		if !changed {
			break
		}
		c = next
	}
	if trimmed := strings.TrimSpace(value); strings.Contains(trimmed, " ") { // as in the query of a URL
		c := charsOf(strings.ReplaceAll(trimmed, " ", "+"))
		sq := c.squeeze(false)
		s.addSqueezed(folded(sq.b, false), &sq, value, least)
	}
}

func (s *Set) addSqueezed(text []byte, sq *squeezed, value string, least int) {
	switch n := len(text); {
	case n < minSecret:
	case n < minExcerpt:
		width := int(sq.at[n-1]-sq.at[0]) + 1
		if have, ok := s.short[string(text)]; ok {
			if have.width != width {
				have.width = 0
			}
			s.short[string(text)] = have
			return
		}
		if s.short == nil {
			s.short = map[string]shortValue{}
		}
		s.short[string(text)] = shortValue{value, width}
		s.start(text, n)
	default:
		s.addLong(text, value, least)
	}
}

func (s *Set) start(text []byte, bit int) {
	if s.starts == nil {
		s.starts = map[uint64]uint32{}
	}
	key := uint64(0)
	for _, b := range text[:minSecret] {
		key = key<<8 | uint64(b)
	}
	if s.starts[key] |= 1 << bit; 16*len(s.starts) > 64*len(s.filter) {
		s.filter = make([]uint64, max(16, 2*len(s.filter)))
		for key := range s.starts {
			s.mark(key)
		}
	}
	s.mark(key)
}

// slot returns the word and the bit of a start in the filter.
func (s *Set) slot(key uint64) (word int, bit uint64) {
	h := key * 0x9e3779b97f4a7c15 >> 32
	return int(h>>6) & (len(s.filter) - 1), 1 << (h & 63)
}

func (s *Set) mark(key uint64) {
	word, bit := s.slot(key)
	s.filter[word] |= bit
}

func (s *Set) isStart(key uint64) bool {
	word, bit := s.slot(key)
	return s.filter[word]&bit != 0
}

const startMask = 1<<(8*minSecret) - 1

// next returns the first place in t from i where a value may begin; -1: none.
func (s *Set) next(t []byte, i int) int {
	if len(t)-i < minSecret || len(s.filter) == 0 {
		return -1
	}
	key := uint64(0)
	for _, b := range t[i : i+minSecret-1] {
		key = key<<8 | uint64(b)
	}
	for j := i + minSecret - 1; j < len(t); j++ {
		if key = (key<<8 | uint64(t[j])) & startMask; s.isStart(key) {
			return j - minSecret + 1
		}
	}
	return -1
}

// mayShow reports whether a value may be in raw, which is not squeezed.
func (s *Set) mayShow(raw []byte) bool {
	if len(s.literals) > 0 || len(s.filter) == 0 {
		return len(s.literals) > 0
	}
	key, n := uint64(0), 0
	for _, b := range raw {
		if b <= ' ' || b == 0x7f {
			continue
		}
		key = (key<<8 | uint64(lower(b))) & startMask
		if n++; n >= minSecret && s.isStart(key) {
			return true
		}
	}
	return false
}

func (s *Set) addLong(text []byte, value string, least int) {
	if s.pieces == nil {
		s.pieces = map[[piece]byte]place{}
	}
	at := place{value: int32(len(s.long))}
	s.long = append(s.long, longValue{text, min(least, len(text)), value})
	register := func(i int) {
		at.at = int32(i)
		if _, ok := s.pieces[[piece]byte(text[i:])]; !ok {
			s.pieces[[piece]byte(text[i:])] = at
			s.start(text[i:], 0)
		}
	}
	register(0)
	if least == structured {
		return
	}
	for i := stride; i+piece <= len(text); i += stride {
		register(i)
	}
	register(len(text) - piece)
}

// addWhole adds a value that is hidden where it is a whole field.
func (s *Set) addWhole(value string) {
	text := strings.TrimSpace(value)
	if len(text) < minWhole || constant(text) {
		return
	}
	if s.whole == nil {
		s.whole = map[string]string{}
	}
	for _, form := range forms(text) {
		if _, ok := s.whole[form]; !ok {
			s.whole[form] = value
			s.longest = max(s.longest, len(form))
		}
	}
}

// match returns how many bytes of t from i show a value, and from where, which
// may be before i; 0: none. t is folded.
func (s *Set) match(t []byte, sq *squeezed, i int, budget *int) (from, to int, value string) {
	if len(t)-i < minSecret {
		return 0, 0, ""
	}
	key := uint64(0)
	for _, b := range t[i : i+minSecret] {
		key = key<<8 | uint64(b)
	}
	lengths := s.starts[key]
	if lengths == 0 {
		return 0, 0, ""
	}
	if lengths&1 != 0 && len(t)-i >= piece {
		if at, ok := s.pieces[[piece]byte(t[i:])]; ok {
			l := &s.long[at.value]
			left := common(t[max(0, i-minExcerpt):i], l.text[:at.at], true)
			right := common(t[i:], l.text[at.at:], false)
			*budget -= left + right
			if left+right >= l.least {
				return i - left, i + right, l.value
			}
		}
	}
	for n := min(minExcerpt-1, len(t)-i); n >= minSecret; n-- {
		if lengths&(1<<n) == 0 {
			continue
		}
		have, ok := s.short[string(t[i:i+n])]
		if ok && (n >= minWrapped || have.width == 0 || int(sq.at[i+n-1]-sq.at[i])+1 == have.width) {
			return i, i + n, have.value
		}
	}
	return 0, 0, ""
}

// common returns how long the common beginning of a and b is, or their common
// end.
func common(a, b []byte, end bool) int {
	most := min(len(a), len(b))
	if end {
		for n := range most {
			if a[len(a)-1-n] != b[len(b)-1-n] {
				return n
			}
		}
		return most
	}
	if bytes.Equal(a[:most], b[:most]) {
		return most
	}
	for n := range most {
		if a[n] != b[n] {
			return n
		}
	}
	return most
}
