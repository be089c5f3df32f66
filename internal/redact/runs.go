package redact

// encoding is a way to write bytes as digits of some bits each.
type encoding struct {
	bits   int
	digits [256]int8 // the value of each digit; -1: none
	// shifts is how many digits of something else may be before those of a byte.
	shifts int
}

var (
	base64Digits = newEncoding(6, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_")
	base32Digits = newEncoding(5, 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "")
	hexDigits    = newEncoding(4, 2, "0123456789ABCDEF", "")
	encodings    = []*encoding{base64Digits, base32Digits, hexDigits}
)

// newEncoding returns an encoding with digits, and others for the last ones.
// Where lower-case letters are no digits of their own, they are those of the
// upper-case ones.
func newEncoding(bits, shifts int, digits, last string) *encoding {
	e := &encoding{bits: bits, shifts: shifts}
	for i := range e.digits {
		e.digits[i] = -1
	}
	for i := range len(digits) {
		if e.digits[lower(digits[i])] < 0 {
			e.digits[lower(digits[i])] = int8(i)
		}
		e.digits[digits[i]] = int8(i)
	}
	for i := range len(last) {
		e.digits[last[i]] = int8(len(digits) - len(last) + i)
	}
	return e
}

func (e *encoding) digit(b byte) bool { return e.digits[b] >= 0 }

// decode appends what the digits stand for to out. A rest of less than a byte is
// dropped.
func (e *encoding) decode(out, digits []byte) []byte {
	held, bits := uint32(0), 0
	for _, d := range digits {
		held, bits = held<<e.bits|uint32(e.digits[d]), bits+e.bits
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(held>>bits))
		}
	}
	return out
}

// runs calls found with what runs of digits in sq stand for, for every encoding
// and shift, where that is text or may have a value in it. sq was squeezed, so
// that a run may be wrapped; the letters of words before it are then part of it.
func (s *scan) runs(sq *squeezed, found func(decoded chars, e *encoding)) {
	for _, e := range encodings {
		least := (8*minSecret + e.bits - 1) / e.bits
		for i := 0; i < len(sq.b); {
			if !e.digit(sq.b[i]) {
				i++
				continue
			}
			j := i
			for j < len(sq.b) && e.digit(sq.b[j]) {
				j++
			}
			for shift := 0; shift < e.shifts && j-i-shift >= least; shift++ {
				s.scratch = e.decode(s.scratch[:0], sq.b[i+shift:j])
				s.budget -= len(s.scratch) / 4
				if s.set.mayShow(s.scratch) || hasText(s.scratch) {
					found(sq.decoded(e, s.scratch, i+shift, j), e)
				}
			}
			i = j
		}
	}
	sq.separated(found)
}

// decoded returns what the digits from i to j stand for.
func (sq *squeezed) decoded(e *encoding, raw []byte, i, j int) chars {
	out := newChars(len(raw))
	for k, b := range raw {
		out.add(b, sq.from[i+8*k/e.bits], sq.to[min(i+(8*k+7)/e.bits, j-1)])
	}
	return out
}

// separated finds hexadecimal digits with colons between the bytes.
func (sq *squeezed) separated(found func(chars, *encoding)) {
	for i := 0; i+2 < len(sq.b); {
		if !hexDigits.digit(sq.b[i]) || !hexDigits.digit(sq.b[i+1]) || sq.b[i+2] != ':' {
			i++
			continue
		}
		out := newChars(0)
		for i+1 < len(sq.b) && hexDigits.digit(sq.b[i]) && hexDigits.digit(sq.b[i+1]) {
			out.add(byte(hexDigits.digits[sq.b[i]])<<4|byte(hexDigits.digits[sq.b[i+1]]), sq.from[i], sq.to[i+1])
			if i += 2; i >= len(sq.b) || sq.b[i] != ':' {
				break
			}
			i++
		}
		if len(out.b) >= minSecret {
			found(out, nil)
		}
	}
}

// decimals calls found with the bytes of lists of numbers, as Go prints a
// []byte and JavaScript an array: "[104 117]", "104,117".
func (c *chars) decimals(found func(chars, *encoding)) {
	var out chars
	end := func() {
		if len(out.b) >= minSecret {
			found(out, nil)
		}
		out = chars{}
	}
	for i := 0; i < len(c.b); {
		n, j := 0, i
		for j < len(c.b) && j < i+4 && c.b[j] >= '0' && c.b[j] <= '9' {
			n = 10*n + int(c.b[j]-'0')
			j++
		}
		if j == i || n > 0xff {
			end()
			i = max(j, i+1)
			continue
		}
		out.add(byte(n), c.from[i], c.to[j-1])
		for i = j; i < len(c.b) && i < j+2 && (c.b[i] == ' ' || c.b[i] == ','); {
			i++
		}
		if i == j {
			end()
		}
	}
	end()
}
