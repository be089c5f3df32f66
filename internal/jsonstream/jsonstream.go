// Package jsonstream goes through big JSON part by part, so that no more than
// one part is in memory at once beside what is made of them.
package jsonstream

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Object goes over the members of the object that comes next. Each must read
// the member's value: by [json.Decoder.Decode], [Object], [Array] or [Skip]. A
// null is an object without members.
func Object(d *json.Decoder, each func(name string) error) error {
	return within(d, '{', func() error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // which the decoder has made sure of
		return each(name)
	})
}

// Array goes over the items of the array that comes next. Each must read one,
// as in [Object]. A null is an array without items.
func Array(d *json.Decoder, each func() error) error {
	return within(d, '[', each)
}

// Skip passes over the value that comes next.
func Skip(d *json.Decoder) error {
	var nothing struct{}
	var mismatch *json.UnmarshalTypeError
	if err := d.Decode(&nothing); err != nil && !errors.As(err, &mismatch) {
		return err
	}
	return nil
}

func within(d *json.Decoder, opens json.Delim, each func() error) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return nil
	}
	if token != opens {
		return fmt.Errorf("%v where %v must be, before byte %d", token, opens, d.InputOffset())
	}
	for d.More() {
		if err := each(); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
