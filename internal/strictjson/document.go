package strictjson

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Limits bound a document that is read: its bytes, how deep it is nested, and how
// many values it has. It takes some hundred bytes of memory for each value.
type Limits struct{ Size, Depth, Values int }

// Unmarshal reads a document whose member "schema" names its schema into v. It fails
// for another schema, for a document beyond the limits, and unless v encodes to all
// that the document says: other spacing and another order of members are accepted, a
// member that is unknown or stands twice is not.
func Unmarshal(data []byte, schema string, limits Limits, v any) error {
	if len(data) > limits.Size {
		return fmt.Errorf("it has %d bytes, and may have %d", len(data), limits.Size)
	}
	switch depth, values := Extent(data); {
	case depth > limits.Depth:
		return fmt.Errorf("it is nested more than %d deep", limits.Depth)
	case values > limits.Values:
		return fmt.Errorf("it has more than %d values", limits.Values)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Schema != schema {
		return fmt.Errorf("schema is %q, want %q", clean.Short(head.Schema, maxName), schema)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Same(data, again)
}
