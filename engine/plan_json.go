package engine

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/strictjson"
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
	switch depth, values := strictjson.Extent(data); {
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
	return p, strictjson.Same(data, again)
}
