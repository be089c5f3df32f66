package stack

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/strictjson"
)

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/stack-plan/v1"

// A plan that is read may be as long, as deep and of as many values as this.
const (
	maxPlanSize   = 128 << 20
	maxPlanDepth  = 1000
	maxPlanValues = 8_000_000
)

type planDocument struct {
	Schema string `json:"schema"`
	*planFields
}

type planFields Plan

// MarshalJSON writes the plan with the name of its schema. It holds no values, no
// manifest and no secret, as the plans of the engine do not.
func (p *Plan) MarshalJSON() ([]byte, error) {
	return json.Marshal(planDocument{planSchema, (*planFields)(p)})
}

// UnmarshalJSON reads what MarshalJSON wrote, as strictly as engine.Plan does it.
// The error wraps ErrPlanInvalid.
func (p *Plan) UnmarshalJSON(data []byte) error {
	read, err := readPlan(data)
	if err != nil {
		return fmt.Errorf("read the plan of a stack: %w: %w", ErrPlanInvalid, err)
	}
	*p = *read
	return nil
}

func readPlan(data []byte) (*Plan, error) {
	if len(data) > maxPlanSize {
		return nil, fmt.Errorf("it has %d bytes, and may have %d", len(data), maxPlanSize)
	}
	if depth, values := strictjson.Extent(data); depth > maxPlanDepth || values > maxPlanValues {
		return nil, fmt.Errorf("it is nested %d deep and has %d values; accepted are %d and %d", depth, values, maxPlanDepth, maxPlanValues)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Schema != planSchema {
		return nil, fmt.Errorf("schema is %q, want %q", clean.Short(head.Schema, 100), planSchema)
	}
	doc := planDocument{planFields: &planFields{}}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	p := (*Plan)(doc.planFields)
	for _, m := range append(p.Members[:len(p.Members):len(p.Members)], p.Pruned...) {
		if m.Plan == nil {
			return nil, fmt.Errorf("member %q has no plan", clean.Short(m.Member, 100))
		}
	}
	again, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return p, strictjson.Same(data, again)
}
