package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// indexEntry is what is read of a version in a repository's index.yaml.
type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// errOtherStyle is returned for an index that is not written as Helm writes it, and must be read as a whole.
var errOtherStyle = errors.New("an index in another style of YAML")

// index returns the versions of a chart. The indexes of the largest repositories have 20 MiB, which decoded take a hundred
// times as much: an index is read line by line, and only the chart's own entries are kept and decoded.
func (s *site) index(ctx context.Context, u *url.URL, name string) ([]indexEntry, error) {
	reader := indexReader{name: name, memory: cmp.Or(s.opts.MemoryBytes, yamlread.DefaultMemory)}
	var entries []indexEntry
	err := s.stream(ctx, u, s.opts.limit(), func(r io.Reader) (err error) {
		entries, err = reader.read(r)
		return err
	})
	if errors.Is(err, errOtherStyle) {
		var data []byte
		if data, err = s.getCached(ctx, u, s.opts.limit()); err == nil {
			entries, err = reader.decode(data)
		}
	}
	if err != nil && !errors.Is(err, ErrNoChart) {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	return entries, err
}

// indexReader finds one chart in an index.
type indexReader struct {
	name   string
	memory int64 // for decoding
}

func (x *indexReader) decoder() yamlread.Decoder {
	return yamlread.Decoder{Account: yamlread.NewBudget(x.memory)}
}

func (x *indexReader) noChart(charts int) error {
	return fmt.Errorf("%w as %q among the %d of the repository", ErrNoChart, x.name, charts)
}

// smallIndex is the size up to which an index is kept, in case that it is in another style.
const smallIndex = 1 << 20

// read returns the chart's versions, or errOtherStyle.
func (x *indexReader) read(r io.Reader) ([]indexEntry, error) {
	head := &head{r: r}
	buffered := bufio.NewReaderSize(head, 64<<10)
	if isJSON(buffered) {
		entries, err := x.readJSON(buffered)
		if !errors.As(err, new(*json.SyntaxError)) {
			return entries, err
		}
	} else {
		block := entriesBlock{name: x.name, most: x.memory / 8} // a byte takes eight
		for more := true; more; {
			line, err := buffered.ReadSlice('\n')
			if more = err == nil || errors.Is(err, bufio.ErrBufferFull); !more && !errors.Is(err, io.EOF) {
				return nil, err
			}
			block.piece(line)
		}
		if entries, err := x.ofBlock(&block); !errors.Is(err, errOtherStyle) {
			return entries, err
		}
	}
	if _, err := io.Copy(io.Discard, head); err != nil {
		return nil, err
	}
	if head.over {
		return nil, errOtherStyle
	}
	return x.decode(head.kept.Bytes())
}

// ofBlock decodes the lines of the chart.
func (x *indexReader) ofBlock(block *entriesBlock) ([]indexEntry, error) {
	switch {
	case block.other || block.charts == 0:
		return nil, errOtherStyle
	case !block.found:
		return nil, x.noChart(block.charts)
	case int64(block.lines.Len()) > block.most:
		return nil, &yamlread.LimitError{Limit: yamlread.LimitMemory, Max: x.memory}
	}
	entries, err := x.decode(append([]byte("entries:\n"), block.lines.Bytes()...))
	if err != nil && !errors.As(err, new(*yamlread.LimitError)) {
		return nil, errOtherStyle // anchors elsewhere, for example
	}
	return entries, err
}

// decode decodes an index as a whole.
func (x *indexReader) decode(data []byte) ([]indexEntry, error) {
	var index struct {
		Entries map[string][]indexEntry `json:"entries"`
	}
	if err := x.decoder().Unmarshal(data, &index); err != nil {
		return nil, err
	}
	entries, ok := index.Entries[x.name]
	if !ok {
		return nil, x.noChart(len(index.Entries))
	}
	return entries, nil
}

// head keeps the beginning of what is read.
type head struct {
	r    io.Reader
	kept bytes.Buffer
	over bool // there was more
}

func (h *head) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.over = h.over || h.kept.Len()+n > smallIndex; h.over {
		h.kept = bytes.Buffer{}
	} else {
		h.kept.Write(p[:n])
	}
	return n, err
}
