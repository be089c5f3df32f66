package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/plan/v1"

// A plan that is read may be as long and as deep as this.
const (
	maxPlanSize  = 64 << 20
	maxPlanDepth = 1000
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
// document beyond 64 MiB. The error wraps ErrPlanInvalid.
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
	if depthOf(data) > maxPlanDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxPlanDepth)
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

// depthOf is how deep a JSON text is nested at most.
func depthOf(text []byte) int {
	depth, most := 0, 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			for at++; at < len(text) && text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// sameDocument returns an error unless what was read is all that a text says.
func sameDocument(text, read []byte) error {
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil && bytes.Equal(compact.Bytes(), read) {
		return nil
	}
	if err := uniqueMembers(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	var a, b any
	for _, d := range []struct {
		text []byte
		into *any
	}{{text, &a}, {read, &b}} {
		decoder := json.NewDecoder(bytes.NewReader(d.text))
		decoder.UseNumber()
		if err := decoder.Decode(d.into); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("it has members that are unknown, or not written as they would be")
	}
	return nil
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
