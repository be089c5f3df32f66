// Package jsonstream goes through big JSON part by part, so that no more than
// one part is in memory at once beside what is made of them.
package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// chunk is the number of bytes that are read at once.
const chunk = 32 << 10

// Reader reads JSON value by value. It looks no further into a value than to find
// its end, which is many times as fast as decoding it: whether it is valid shows when
// it is decoded. It is for one goroutine.
type Reader struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] was read and not used yet
	before   int64 // bytes read before buf
	err      error // of r, once buf is used up
}

// NewReader returns a Reader of r, from which it may read more than it uses.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, buf: make([]byte, chunk)} }

// Of returns a Reader of JSON that is in memory, which it does not change.
func Of(text []byte) *Reader { return &Reader{buf: text, end: len(text), err: io.EOF} }

// Object goes over the members of the object that comes next. Each must read
// the member's value: by [Reader.Decode], [Reader.Raw], [Reader.Object],
// [Reader.Array] or [Reader.Skip]. A null is an object without members.
func (d *Reader) Object(each func(name string) error) error {
	var text []byte
	return d.within('{', '}', func() error {
		var err error
		if text, err = d.Raw(text[:0]); err != nil {
			return err
		}
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return fmt.Errorf("the name of a member before byte %d: %w", d.offset(), err)
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		return each(name)
	})
}

// Array goes over the items of the array that comes next. Each must read one,
// as in [Reader.Object]. A null is an array without items.
func (d *Reader) Array(each func() error) error { return d.within('[', ']', each) }

// Decode is json.Unmarshal of the value that comes next.
func (d *Reader) Decode(v any) error {
	text, err := d.Raw(nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// Raw appends the value that comes next to a slice, as it stands.
func (d *Reader) Raw(to []byte) ([]byte, error) {
	err := d.value(func(part []byte) { to = append(to, part...) })
	return to, err
}

// Skip passes over the value that comes next.
func (d *Reader) Skip() error { return d.value(func([]byte) {}) }

func (d *Reader) within(opens, closes byte, each func() error) error {
	switch c, err := d.next(); {
	case err != nil:
		return err
	case c == 'n':
		var text [4]byte
		got, err := d.Raw(text[:0])
		if err == nil && string(got) != "null" {
			err = d.unexpected(c)
		}
		return err
	}
	if err := d.expect(opens); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := d.next()
		switch {
		case err != nil:
			return err
		case c == closes:
			d.pos++
			return nil
		case !first:
			if err := d.expect(','); err != nil {
				return err
			}
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// value passes the value that comes next to take, in parts that hold until it
// returns.
func (d *Reader) value(take func([]byte)) error {
	c, err := d.next()
	if err != nil {
		return err
	}
	switch c {
	case '{', '[':
		return d.nested(take)
	case '"':
		d.pass(1, take)
		return d.restOfString(take)
	case '}', ']', ',', ':':
		return d.unexpected(c)
	}
	return d.scalar(take)
}

// nested is value of an object or array.
func (d *Reader) nested(take func([]byte)) error {
	depth := 0
	for {
		rest := d.buf[d.pos:d.end]
		at := 0
		for ; at < len(rest); at++ {
			switch rest[at] {
			case '{', '[':
				depth++
				continue
			case '}', ']':
				depth--
			case '"':
			default:
				continue
			}
			if depth == 0 || rest[at] == '"' {
				break
			}
		}
		if at == len(rest) {
			d.pass(at, take)
			if err := d.fill(); err != nil {
				return unexpectedEnd(err)
			}
			continue
		}
		inString := rest[at] == '"'
		d.pass(at+1, take)
		if !inString {
			return nil
		}
		if err := d.restOfString(take); err != nil {
			return err
		}
	}
}

// restOfString is value of a string after its first quote.
func (d *Reader) restOfString(take func([]byte)) error {
	escaped := false // the next byte is
	for {
		if d.pos == d.end {
			if err := d.fill(); err != nil {
				return unexpectedEnd(err)
			}
		}
		if escaped {
			d.pass(1, take)
			escaped = false
			continue
		}
		rest := d.buf[d.pos:d.end]
		quote := bytes.IndexByte(rest, '"')
		if quote >= 0 {
			rest = rest[:quote]
		}
		if slash := bytes.IndexByte(rest, '\\'); slash >= 0 {
			d.pass(slash+1, take)
			escaped = true
			continue
		}
		if quote >= 0 {
			d.pass(quote+1, take)
			return nil
		}
		d.pass(len(rest), take)
	}
}

// scalar is value of a number or word, which may end with the input.
func (d *Reader) scalar(take func([]byte)) error {
	for {
		at := bytes.IndexAny(d.buf[d.pos:d.end], ",:]} \t\r\n")
		if at >= 0 {
			d.pass(at, take)
			return nil
		}
		d.pass(d.end-d.pos, take)
		if err := d.fill(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// pass uses up n bytes.
func (d *Reader) pass(n int, take func([]byte)) {
	take(d.buf[d.pos : d.pos+n])
	d.pos += n
}

// next returns the byte that comes next, after space, and leaves it there.
func (d *Reader) next() (byte, error) {
	for {
		for ; d.pos < d.end; d.pos++ {
			switch c := d.buf[d.pos]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if err := d.fill(); err != nil {
			return 0, unexpectedEnd(err)
		}
	}
}

func (d *Reader) expect(c byte) error {
	got, err := d.next()
	if err != nil {
		return err
	}
	if got != c {
		return d.unexpected(got)
	}
	d.pos++
	return nil
}

// fill reads more, once all of buf is used.
func (d *Reader) fill() error {
	d.before += int64(d.end)
	d.pos, d.end = 0, 0
	for d.end == 0 {
		if d.err != nil {
			return d.err
		}
		d.end, d.err = d.r.Read(d.buf)
	}
	return nil
}

func (d *Reader) offset() int64 { return d.before + int64(d.pos) }

func (d *Reader) unexpected(c byte) error {
	return fmt.Errorf("unexpected %q at byte %d", c, d.offset())
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
