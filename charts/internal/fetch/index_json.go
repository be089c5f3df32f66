package fetch

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// isJSON looks for a brace behind blanks.
func isJSON(r *bufio.Reader) bool {
	for n := 1; ; n++ {
		text, err := r.Peek(n)
		if err != nil {
			return false
		}
		switch text[n-1] {
		case ' ', '\t', '\r', '\n':
		default:
			return text[n-1] == '{'
		}
	}
}

// readJSON reads an index in JSON, one chart at a time.
func (x *indexReader) readJSON(r io.Reader) ([]indexEntry, error) {
	decoder := json.NewDecoder(r)
	var mine json.RawMessage
	charts := 0
	err := eachKey(decoder, func(key string) error {
		if key != "entries" {
			return skip(decoder)
		}
		return eachKey(decoder, func(chart string) error {
			charts++
			if chart != x.name {
				return skip(decoder)
			}
			return decoder.Decode(&mine)
		})
	})
	if err != nil {
		return nil, err
	}
	if mine == nil {
		return nil, x.noChart(charts)
	}
	if err := x.decoder().Check(mine); err != nil {
		return nil, err
	}
	var entries []indexEntry
	return entries, json.Unmarshal(mine, &entries)
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
