package redact

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strconv"
)

// encoding is a way to write bytes as digits of an alphabet.
type encoding struct {
	digit func(byte) bool
	// group characters give size bytes. A text may begin before the encoded one,
	// so that each shift below group is tried.
	group, size int
	// decode returns as many bytes as it can.
	decode func([]byte) []byte
}

var encodings = []encoding{
	{isBase64, 4, 3, decodeBase64},
	{isBase32, 8, 5, decodeBase32},
	{isHex, 2, 1, decodeHex},
}

// runs calls found with what each run of digits in s stands for, for every
// encoding and shift. s was squeezed, so that a run may be wrapped; the letters
// of words before it are then part of it.
func (s *squeezed) runs(found func(decoded chars, e *encoding)) {
	for k := range encodings {
		e := &encodings[k]
		least := (minSecret*e.group + e.size - 1) / e.size
		for i := 0; i < len(s.b); {
			if !e.digit(s.b[i]) {
				i++
				continue
			}
			j := i
			for j < len(s.b) && e.digit(s.b[j]) {
				j++
			}
			for shift := 0; shift < e.group && j-i-shift >= least; shift++ {
				found(s.decoded(e, i+shift, j), e)
			}
			i = j
		}
	}
	s.separated(found)
}

// decoded returns what the digits from i to j stand for.
func (s *squeezed) decoded(e *encoding, i, j int) chars {
	raw := e.decode(s.b[i:j])
	out := newChars(len(raw))
	for k, b := range raw {
		first := i + k/e.size*e.group
		out.add(b, s.from[first], s.to[min(first+e.group, j)-1])
	}
	return out
}

// separated finds hexadecimal digits with colons between the bytes.
func (s *squeezed) separated(found func(chars, *encoding)) {
	for i := 0; i+2 < len(s.b); {
		if !isHex(s.b[i]) || !isHex(s.b[i+1]) || s.b[i+2] != ':' {
			i++
			continue
		}
		out := newChars(0)
		for i+1 < len(s.b) {
			n, ok := number(s.b, i, i+2, 16)
			if !ok {
				break
			}
			out.add(byte(n), s.from[i], s.to[i+1])
			if i += 2; i >= len(s.b) || s.b[i] != ':' {
				break
			}
			i++
		}
		found(out, nil)
	}
}

// decimals calls found with the bytes of lists of numbers, as Go prints a
// []byte and JavaScript an array: "[104 117]", "104,117".
func (c *chars) decimals(found func(chars, *encoding)) {
	out := newChars(0)
	for i := 0; i < len(c.b); {
		j := i
		for j < len(c.b) && j < i+4 && c.b[j] >= '0' && c.b[j] <= '9' {
			j++
		}
		n, err := strconv.ParseUint(string(c.b[i:j]), 10, 8)
		if err == nil {
			out.add(byte(n), c.from[i], c.to[j-1])
			for i = j; i < len(c.b) && i < j+2 && (c.b[i] == ' ' || c.b[i] == ','); i++ {
			}
			if i > j {
				continue
			}
		}
		if len(out.b) >= minSecret {
			found(out, nil)
		}
		out = newChars(0)
		i = max(j, i+1)
	}
	if len(out.b) >= minSecret {
		found(out, nil)
	}
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_'
}

func isBase32(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '2' && c <= '7'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func decodeBase64(run []byte) []byte {
	run = bytes.ReplaceAll(bytes.ReplaceAll(run, []byte("-"), []byte("+")), []byte("_"), []byte("/"))
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	n, _ := base64.RawStdEncoding.Decode(out, run) // of these digits, what it cannot decode is only the rest of the last one
	return out[:n]
}

func decodeBase32(run []byte) []byte {
	run = bytes.ToUpper(run)
	switch len(run) % 8 {
	case 1, 3, 6:
		run = run[:len(run)-1]
	}
	encoded := base32.StdEncoding.WithPadding(base32.NoPadding)
	out := make([]byte, encoded.DecodedLen(len(run)))
	n, _ := encoded.Decode(out, run)
	return out[:n]
}

func decodeHex(run []byte) []byte {
	out := make([]byte, len(run)/2)
	n, _ := hex.Decode(out, run[:len(run)/2*2])
	return out[:n]
}
