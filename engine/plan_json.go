package engine

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/strictjson"
)

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/plan/v1"

// planLimits bound a plan that is read.
var planLimits = strictjson.Limits{Size: 32 << 20, Depth: 1000, Values: 2_000_000}

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
	doc := planDocument{planFields: &planFields{}}
	if err := strictjson.Unmarshal(data, planSchema, planLimits, &doc); err != nil {
		return fmt.Errorf("read plan: %w: %w", ErrPlanInvalid, err)
	}
	*p = Plan(*doc.planFields)
	return nil
}
