package resend

import "io"

const (
	firstChunk = 4 << 10
	// maxChunk bounds a piece of an answer.
	maxChunk = 64 << 10
)

// pieces are a whole body. Each is let go as soon as it was read, so
// that a big answer is not in memory beside all that is made of it.
type pieces struct {
	chunks [][]byte
}

// take reads a body to its end; length is -1 where it is not known.
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

// fill reads until the chunk is full. It is io.ReadFull, but for an end that
// came too soon: that is the body's own word here.
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
			p.chunks[0] = nil // or it lives as long as the others
			p.chunks = p.chunks[1:]
		}
	}
	if n == 0 && len(into) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
