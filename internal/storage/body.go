package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
)

const (
	// maxBody is how much of a Secret's 1 MiB one of its values may take; the
	// rest is left for what other writers add.
	maxBody = 1<<20 - 4<<10
	// maxDecoded bounds what a body may unpack to: a Secret that unpacks to
	// more was made to.
	maxDecoded = 64 << 20
)

var gzipMagic = []byte{0x1f, 0x8b, 0x08}

// compress packs as tightly as gzip can, which is as Helm does.
func compress(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return packed.Bytes(), nil
}

func decompress(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("not gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxDecoded+1))
	if err != nil {
		return nil, fmt.Errorf("broken gzip: %w", err)
	}
	if len(text) > maxDecoded {
		return nil, fmt.Errorf("unpacks to more than %d MiB", maxDecoded>>20)
	}
	return text, nil
}

// pack writes a document as Helm does. It answers ErrTooBig for what unpack
// would refuse.
func pack(doc document) ([]byte, error) {
	text, err := doc.text()
	if err != nil {
		return nil, err
	}
	if len(text) > maxDecoded {
		return nil, ErrTooBig
	}
	packed, err := compress(text)
	if err != nil {
		return nil, err
	}
	body := make([]byte, base64.StdEncoding.EncodedLen(len(packed)))
	base64.StdEncoding.Encode(body, packed)
	return body, nil
}

// unpack reads what pack or Helm wrote.
func unpack(body []byte) (document, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("its key %q is missing or empty", bodyKey)
	}
	text := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(text, body)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	text = text[:n]
	if bytes.HasPrefix(text, gzipMagic) { // else stored before Helm compressed
		if text, err = decompress(text); err != nil {
			return nil, err
		}
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("not the JSON of a release: %w", err)
	}
	return doc, nil
}
