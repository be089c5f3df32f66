package storage

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// lasting is the compressed beginning of a revision's text: the chart, the
// values and the manifest, which stay as they are when an outcome is recorded.
// A revision is written three times, and compressing is most of what that
// costs. The data are deflate blocks that end with a byte and refer to nothing
// outside of themselves, so that any other blocks can follow.
//
// It is found again in what was read by an extra field of the gzip header
// (RFC 1952, section 2.3.1.1), which all others pass over.
//
// What the header of a stored revision says is taken for true: a client that may
// write it could break the revision as well.
type lasting struct {
	sum   [sha256.Size]byte // of the text
	level int               // of the compression
	data  []byte
}

const (
	fieldID  = "FL" // of the extra field
	fieldLen = 4 + sha256.Size
	// lastingFrom is where data begins in what compress writes: behind the
	// header and its one extra field.
	lastingFrom = 10 + 2 + 4 + fieldLen
	// storedUpTo is how much is not worth compressing, for which a megabyte of
	// tables is made first.
	storedUpTo = 2 << 10
)

func newLasting(text []byte, level int) (*lasting, error) {
	data, err := deflate(text, level, (*flate.Writer).Flush)
	if err != nil {
		return nil, err
	}
	return &lasting{sha256.Sum256(text), level, data}, nil
}

// is says whether l, which may be nil, is of this text and compressed at that
// level, or as tightly as can be.
func (l *lasting) is(text []byte, level int) bool {
	return l != nil && (l.level == level || l.level == flate.BestCompression) && l.sum == sha256.Sum256(text)
}

// compress is the gzip of a text whose beginning, up to lasts, is l.
func (l *lasting) compress(text []byte, lasts, level int) ([]byte, error) {
	var rest []byte
	if len(text)-lasts <= storedUpTo {
		rest = stored(text[lasts:])
	} else {
		var err error
		if rest, err = deflate(text[lasts:], level, (*flate.Writer).Close); err != nil {
			return nil, err
		}
	}
	const hasExtra, unknownSystem = 4, 255
	out := make([]byte, 0, lastingFrom+len(l.data)+len(rest)+8)
	out = append(out, gzipMagic...)
	out = append(out, hasExtra, 0, 0, 0, 0, flagOf(l.level), unknownSystem)
	out = binary.LittleEndian.AppendUint16(out, 4+fieldLen)
	out = append(out, fieldID...)
	out = binary.LittleEndian.AppendUint16(out, fieldLen)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(l.data)))
	out = append(out, l.sum[:]...)
	out = append(append(out, l.data...), rest...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(text))
	return binary.LittleEndian.AppendUint32(out, uint32(len(text))), nil
}

// lastingOf finds it in what compress wrote; nil if it was not that.
func lastingOf(packed []byte) *lasting {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil || len(z.Extra) != 4+fieldLen || string(z.Extra[:2]) != fieldID {
		return nil
	}
	size := binary.LittleEndian.Uint32(z.Extra[4:])
	if uint64(len(packed)-lastingFrom) < uint64(size) {
		return nil
	}
	level := flate.DefaultCompression
	if packed[8] == flagOf(flate.BestCompression) {
		level = flate.BestCompression
	}
	return &lasting{[sha256.Size]byte(z.Extra[8:]), level, packed[lastingFrom:][:size]}
}

// flagOf is what the gzip header says of the level.
func flagOf(level int) byte {
	if level == flate.BestCompression {
		return 2
	}
	return 0
}

// stored is the last deflate block of a text as it is (RFC 1951, section
// 3.2.4); nothing longer than storedUpTo can be one.
func stored(text []byte) []byte {
	out := []byte{1}
	out = binary.LittleEndian.AppendUint16(out, uint16(len(text)))
	out = binary.LittleEndian.AppendUint16(out, ^uint16(len(text)))
	return append(out, text...)
}

// deflate compresses text and ends it by one of the writer's methods: Flush,
// after which other blocks may follow, or Close.
func deflate(text []byte, level int, end func(*flate.Writer) error) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = end(w)
	}
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}
