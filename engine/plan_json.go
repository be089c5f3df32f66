package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/plan/v1"

// A plan that is read may be as long, as deep and of as many values as this. It
// takes some hundred bytes of memory for each value.
const (
	maxPlanSize   = 32 << 20
	maxPlanDepth  = 1000
	maxPlanValues = 2_000_000
)

type planDocument struct {
	Schema string `json:"schema"`
	*planFields
}

type planFields Plan

// MarshalJSON writes the plan with the name of its schema.
func (p *Plan) MarshalJSON() ([]byte, error) {
	return json.Marshal(planDocument{planSchema, (*planFields)(p)})
}

// UnmarshalJSON reads what MarshalJSON wrote. Other spacing and another order
// of members are accepted; a member that is unknown, or stands twice, is not: a
// reviewer may have seen another value of it. Neither is another schema, nor a
// document beyond 32 MiB or two million values. The error wraps ErrPlanInvalid.
func (p *Plan) UnmarshalJSON(data []byte) error {
	read, err := readPlan(data)
	if err != nil {
		return fmt.Errorf("read plan: %w: %w", ErrPlanInvalid, err)
	}
	*p = *read
	return nil
}

func readPlan(data []byte) (*Plan, error) {
	if len(data) > maxPlanSize {
		return nil, fmt.Errorf("it has %d bytes, and may have %d", len(data), maxPlanSize)
	}
	switch depth, values := extentOf(data); {
	case depth > maxPlanDepth:
		return nil, fmt.Errorf("it is nested more than %d deep", maxPlanDepth)
	case values > maxPlanValues:
		return nil, fmt.Errorf("it has more than %d values", maxPlanValues)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Schema != planSchema {
		return nil, fmt.Errorf("schema is %q, want %q", printable(head.Schema), planSchema)
	}
	doc := planDocument{planFields: &planFields{}}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	p := (*Plan)(doc.planFields)
	again, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return p, sameDocument(data, again)
}

// extentOf is how deep a JSON text is nested at most, and how many values it
// has, those that hold others included.
func extentOf(text []byte) (most, values int) {
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

// sameDocument returns an error unless what was read is all that a text says.
func sameDocument(text, read []byte) error {
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil && bytes.Equal(compact.Bytes(), read) {
		return nil
	}
	if _, values := extentOf(text); !hasValues(read, values) {
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
	_, values := extentOf(text)
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
				return fmt.Errorf("member %q stands twice", printable(text))
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
