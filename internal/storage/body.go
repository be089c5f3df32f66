package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

const (
	// maxBody is how much of a Secret's 1 MiB one of its values may take; the
	// rest is left for what other writers add.
	maxBody = 1<<20 - 4<<10
	// maxDecoded bounds what a body may unpack to.
	maxDecoded = 32 << 20
	// maxReading bounds the memory that the revisions take which one call reads,
	// and maxOne what one of them takes, so that there is something left for a
	// second. Of that, costText is for each byte of JSON, the copies of the text
	// included, and costNode for each value.
	maxReading         = 256 << 20
	maxOne             = maxReading / 2
	costText, costNode = 3, 100
)

var gzipMagic = []byte{0x1f, 0x8b, 0x08}

// compress is for what is written once.
func compress(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return packed.Bytes(), nil
}

// decompress unpacks a text and charges the account for it.
func decompress(packed []byte, account yamlread.Account) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("not gzip: %w", err)
	}
	size := unpackedSize(packed)
	if size > maxDecoded {
		return nil, fmt.Errorf("unpacks to more than %d MiB", maxDecoded>>20)
	}
	var text bytes.Buffer
	text.Grow(size + bytes.MinRead) // to read into without growing, which would leave large blocks behind
	if _, err := text.ReadFrom(io.LimitReader(&charged{z, account}, maxDecoded+1)); err != nil {
		return nil, fmt.Errorf("broken gzip: %w", err)
	}
	if text.Len() > maxDecoded {
		return nil, fmt.Errorf("unpacks to more than %d MiB", maxDecoded>>20)
	}
	return text.Bytes(), nil
}

// charged is a reader whose bytes are charged to an account.
type charged struct {
	io.Reader
	account yamlread.Account
}

func (c *charged) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if charge := c.account.Charge(costText * int64(n)); charge != nil {
		return 0, charge
	}
	return n, err
}

// unpackedSize is what gzip notes at its end, if that is possible: it packs to
// no less than a thousandth.
func unpackedSize(packed []byte) int {
	if len(packed) < 4 {
		return 0
	}
	noted := binary.LittleEndian.Uint32(packed[len(packed)-4:])
	return int(min(int64(noted), 1032*int64(len(packed))))
}

// pack writes a document as Helm does. What lasts of it is compressed only if
// known is not the same. It returns ErrTooBig for what unpack would refuse.
func pack(doc document, known *lasting, level int) ([]byte, *lasting, error) {
	text, lasts, err := doc.text()
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxDecoded {
		return nil, nil, ErrTooBig
	}
	if !known.is(text[:lasts], level) {
		if known, err = newLasting(text[:lasts], level); err != nil {
			return nil, nil, err
		}
	}
	packed, err := known.compress(text, lasts, level)
	if err != nil {
		return nil, nil, err
	}
	body := make([]byte, base64.StdEncoding.EncodedLen(len(packed)))
	base64.StdEncoding.Encode(body, packed)
	return body, known, nil
}

// unpack reads what pack or Helm wrote, the manifest apart, and of the former
// what lasts. It charges the account for what that takes.
func unpack(body []byte, account yamlread.Account) (doc document, manifest string, known *lasting, err error) {
	if len(body) == 0 {
		return nil, "", nil, fmt.Errorf("its key %q is missing or empty", bodyKey)
	}
	text := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(text, body)
	if err != nil {
		return nil, "", nil, fmt.Errorf("not base64: %w", err)
	}
	text = text[:n]
	if bytes.HasPrefix(text, gzipMagic) { // else stored before Helm compressed
		known = lastingOf(text)
		if text, err = decompress(text, account); err != nil {
			return nil, "", nil, err
		}
	} else if err = account.Charge(costText * int64(len(text))); err != nil {
		return nil, "", nil, err
	}
	if hasLongNumber(text) {
		return nil, "", nil, fmt.Errorf("not the JSON of a release: a number of more than %d digits", maxNumber)
	}
	if doc, manifest, err = readDocument(text, account); err != nil {
		return nil, "", nil, fmt.Errorf("not the JSON of a release: %w", err)
	}
	return doc, manifest, known, nil
}
