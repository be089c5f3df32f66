package stack

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/strictjson"
)

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/stack-plan/v1"

// planLimits bound a plan that is read.
var planLimits = strictjson.Limits{Size: 128 << 20, Depth: 1000, Values: 8_000_000}

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
	doc := planDocument{planFields: &planFields{}}
	err := strictjson.Unmarshal(data, planSchema, planLimits, &doc)
	read := (*Plan)(doc.planFields)
	for _, m := range read.all() {
		if err == nil && m.Plan == nil {
			err = fmt.Errorf("member %q has no plan", clean.Short(m.Member, 100))
		}
	}
	if err != nil {
		return fmt.Errorf("read the plan of a stack: %w: %w", ErrPlanInvalid, err)
	}
	*p = *read
	return nil
}
