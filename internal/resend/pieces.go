package resend

import "io"

const (
	firstChunk = 4 << 10
	// maxChunk bounds a piece of a response body.
	maxChunk = 64 << 10
)

// pieces is a complete body. Each piece is released as soon as it was read, so
// that a big response is not kept in memory along with what is decoded from it.
type pieces struct {
	chunks [][]byte
}

// take reads a body to its end; length is -1 if unknown.
func take(body io.Reader, length int64) (*pieces, error) {
	p := &pieces{}
	size := int64(firstChunk)
	if length >= 0 {
		size = length + 1 // one more, to see the end
	}
	for {
		chunk := make([]byte, min(size, maxChunk))
		n, err := fill(body, chunk)
		if n > 0 {
			p.chunks = append(p.chunks, chunk[:n])
		}
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		if length >= 0 {
			size = max(size-int64(n), firstChunk)
		} else {
			size = 2 * int64(n)
		}
	}
}

// fill reads until the chunk is full. Unlike io.ReadFull it returns io.EOF as it
// is, and ErrUnexpectedEOF only if the body does.
func fill(r io.Reader, chunk []byte) (n int, err error) {
	for n < len(chunk) && err == nil {
		var more int
		more, err = r.Read(chunk[n:])
		n += more
	}
	return n, err
}

// Read implements io.Reader.
func (p *pieces) Read(into []byte) (n int, err error) {
	for n < len(into) && len(p.chunks) > 0 {
		copied := copy(into[n:], p.chunks[0])
		n += copied
		if p.chunks[0] = p.chunks[0][copied:]; len(p.chunks[0]) == 0 {
			p.chunks[0] = nil // or it stays in memory as long as the others
			p.chunks = p.chunks[1:]
		}
	}
	if n == 0 && len(into) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
