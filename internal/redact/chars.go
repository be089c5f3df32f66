package redact

import (
	"unicode"
	"unicode/utf8"
)

// chars is a form of a text, each byte with the range of the original that it
// stands for.
type chars struct {
	b        []byte
	from, to []int32
}

func newChars(size int) chars {
	return chars{make([]byte, 0, size), make([]int32, 0, size), make([]int32, 0, size)}
}

func charsOf(text string) chars {
	c := newChars(len(text))
	for i := 0; i < len(text); i++ {
		c.add(text[i], int32(i), int32(i+1))
	}
	return c
}

func (c *chars) add(b byte, from, to int32) {
	c.b, c.from, c.to = append(c.b, b), append(c.from, from), append(c.to, to)
}

// copied adds the bytes i to j of d.
func (c *chars) copied(d *chars, i, j int) {
	c.b, c.from, c.to = append(c.b, d.b[i:j]...), append(c.from, d.from[i:j]...), append(c.to, d.to[i:j]...)
}

// squeezed is chars without space and control characters. at are the places of
// its bytes in the chars that it was made of.
type squeezed struct {
	chars
	at []int32
}

// squeeze drops what wrapping, folding and indenting adds. wide also drops
// characters beyond ASCII that are not visible.
func (c *chars) squeeze(wide bool) squeezed {
	s := squeezed{newChars(len(c.b)), make([]int32, 0, len(c.b))}
	for i := 0; i < len(c.b); {
		size := 1
		if b := c.b[i]; b < utf8.RuneSelf {
			if b > ' ' && b != 0x7f {
				s.keep(c, i)
			}
		} else {
			var r rune
			if wide {
				r, size = utf8.DecodeRune(c.b[i:])
			}
			if size == 1 || !unicode.IsSpace(r) && !unicode.In(r, unicode.Cc, unicode.Cf) {
				for j := range size {
					s.keep(c, i+j)
				}
			}
		}
		i += size
	}
	return s
}

func (s *squeezed) keep(c *chars, i int) {
	s.add(c.b[i], c.from[i], c.to[i])
	s.at = append(s.at, int32(i))
}

// folded returns b in lower case. Other than ASCII letters change only if wide,
// and only those whose length stays the same.
func folded(b []byte, wide bool) []byte {
	out := make([]byte, len(b))
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf || !wide {
			out[i] = lower(b[i])
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		copy(out[i:], b[i:i+size])
		if small := unicode.ToLower(r); size > 1 && utf8.RuneLen(small) == size {
			utf8.EncodeRune(out[i:], small)
		}
		i += size
	}
	return out
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func ascii(b []byte) bool {
	for _, x := range b {
		if x >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
