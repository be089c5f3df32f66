// Package strictjson finds out whether a JSON text says exactly what was read of
// it: no member that is unknown, none that stands twice.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// maxName is how much of a name an error shows.
const maxName = 100

// Extent is how deep a JSON text is nested at most, and how many values it
// has, those that hold others included.
func Extent(text []byte) (most, values int) {
	depth := 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			for at++; at < len(text) && text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
		case ',':
			values++
		case '{', '[':
			depth++
			values++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most, values
}

// errOtherDocument is for what an encoder would not have written.
var errOtherDocument = errors.New("it has members that are unknown, or not written as they would be")

// Same returns an error unless what was read is all that a text says.
func Same(text, read []byte) error {
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil && bytes.Equal(compact.Bytes(), read) {
		return nil
	}
	if _, values := Extent(text); !hasValues(read, values) {
		return errOtherDocument // found before much is made of it
	}
	if err := uniqueMembers(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	a, err := sorted(text)
	if err != nil {
		return err
	}
	b, err := sorted(read)
	if err == nil && !bytes.Equal(a, b) {
		err = errOtherDocument
	}
	return err
}

func hasValues(text []byte, want int) bool {
	_, values := Extent(text)
	return values == want
}

// sorted is a JSON text without spaces, and with the members of each object in
// order.
func sorted(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// uniqueMembers returns an error if an object of the value that comes next has
// a member twice.
func uniqueMembers(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string) // which the decoder has made sure of
			if seen[text] {
				return fmt.Errorf("member %q stands twice", clean.Short(text, maxName))
			}
			seen[text] = true
			if err := uniqueMembers(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		for d.More() {
			if err := uniqueMembers(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}
