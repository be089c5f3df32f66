package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// indexEntry is what is read of a version in a repository's index.yaml.
type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// indexMemory bounds what decoding the entries of a chart takes, or a whole index that is not written as Helm writes it.
const indexMemory = 128 << 20

// indexEntries returns the versions of a chart. The indexes of the largest repositories have 20 MiB, which decoded take a
// hundred times as much: only the chart's own entries are decoded.
func indexEntries(data []byte, name string) ([]indexEntry, error) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		if entries, err := jsonEntries(trimmed, name); !errors.As(err, new(*json.SyntaxError)) {
			return entries, err
		}
	}
	block, charts, ok := entriesBlock(data, name)
	if ok && block == nil {
		return nil, noChart(name, charts)
	}
	if ok {
		if entries, err := decodeEntries(append([]byte("entries:\n"), block...), name); err == nil {
			return entries, nil
		}
	}
	return decodeEntries(data, name) // in another style of YAML, or with anchors
}

func noChart(name string, charts int) error {
	return fmt.Errorf("%w as %q among the %d of the repository", ErrNoChart, name, charts)
}

func decodeEntries(data []byte, name string) ([]indexEntry, error) {
	var index struct {
		Entries map[string][]indexEntry `json:"entries"`
	}
	if err := (yamlread.Decoder{Account: yamlread.NewBudget(indexMemory)}).Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	entries, ok := index.Entries[name]
	if !ok {
		return nil, noChart(name, len(index.Entries))
	}
	return entries, nil
}

// entriesBlock returns the lines of a chart in an index as Helm writes it, in block style with a key on each line, and how
// many charts there are; nil if the chart is not among them. It is false for any other style.
func entriesBlock(data []byte, name string) (block []byte, charts int, ok bool) {
	begin, indent, inside, mine := 0, 0, false, false
	at := 0
	for line := range bytes.Lines(data) {
		start := at
		at += len(line)
		text := bytes.TrimRight(line, " \r\n")
		content := bytes.TrimLeft(text, " ")
		depth := len(text) - len(content)
		switch {
		case len(content) == 0 || content[0] == '#':
			continue
		case content[0] == '\t':
			return nil, 0, false
		case depth == 0:
			if mine {
				block, mine = data[begin:start], false
			}
			if inside = string(text) == "entries:"; inside && charts > 0 {
				return nil, 0, false
			}
			continue
		case !inside || indent > 0 && depth > indent || depth == indent && content[0] == '-':
			continue
		case indent > 0 && depth < indent:
			return nil, 0, false
		}
		indent = depth
		key, isKey := blockKey(content)
		if !isKey {
			return nil, 0, false
		}
		charts++
		if mine {
			block, mine = data[begin:start], false
		}
		if key == name {
			if block != nil {
				return nil, 0, false // twice
			}
			begin, mine = start, true
		}
	}
	if mine {
		block = data[begin:]
	}
	return block, charts, charts > 0
}

// blockKey returns the key of a line that has nothing but a key.
func blockKey(line []byte) (string, bool) {
	key, found := strings.CutSuffix(string(line), ":")
	if !found || key == "" {
		return "", false
	}
	if quote := key[0]; quote == '"' || quote == '\'' {
		inner := strings.Trim(key, string(quote))
		return inner, len(inner) == len(key)-2 && !strings.ContainsAny(inner, `\"'`)
	}
	return key, !strings.ContainsAny(key, ":{}[],&*!|>%@`#\"' ?")
}

// jsonEntries reads an index in JSON, one chart at a time.
func jsonEntries(data []byte, name string) ([]indexEntry, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var found []indexEntry
	charts, has := 0, false
	err := eachKey(decoder, func(key string) error {
		if key != "entries" {
			return skip(decoder)
		}
		return eachKey(decoder, func(chart string) error {
			charts++
			if chart != name {
				return skip(decoder)
			}
			has = true
			return decoder.Decode(&found)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	if !has {
		return nil, noChart(name, charts)
	}
	return found, nil
}

// eachKey calls read for each key of an object, to read its value.
func eachKey(decoder *json.Decoder, read func(key string) error) error {
	open, err := decoder.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return errors.New("a mapping is expected")
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		text, _ := key.(string)
		if err := read(text); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}

func skip(decoder *json.Decoder) error {
	var value json.RawMessage
	return decoder.Decode(&value)
}
