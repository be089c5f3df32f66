package strictjson

import (
	"strings"
	"testing"
)

// Only a document of the schema, within the limits, that says what was read of it is
// accepted.
func TestUnmarshal(t *testing.T) {
	limits := Limits{Size: 100, Depth: 3, Values: 8}
	for name, c := range map[string]struct{ text, fails string }{
		"as written":        {`{"schema":"s/v1","a":1,"b":[[2]]}`, ""},
		"with spaces":       {`{ "b": [[2]], "schema": "s/v1",` + "\n" + `"a": 1 }`, ""},
		"no JSON":           {`{"schema":"s/v1"`, "unexpected end"},
		"no schema":         {`{"a":1}`, `schema is "", want "s/v1"`},
		"another schema":    {`{"schema":"s/v2","a":1,"b":null}`, `schema is "s/v2", want "s/v1"`},
		"an unknown member": {`{"schema":"s/v1","a":1,"b":null,"c":1}`, "unknown"},
		"a member twice":    {`{"schema":"s/v1","a":1,"a":1,"b":null}`, "unknown"},
		"another type":      {`{"schema":"s/v1","a":"1","b":null}`, "cannot unmarshal"},
		"too long":          {`{"schema":"s/v1"}` + strings.Repeat(" ", 100), "it has 117 bytes, and may have 100"},
		"too deep":          {`{"schema":"s/v1","b":[[[]]]}`, "nested more than 3 deep"},
		"too many values":   {`{"schema":"s/v1","b":[[1,2,3,4,5,6,7]]}`, "more than 8 values"},
	} {
		var v struct {
			Schema string  `json:"schema"`
			A      int     `json:"a"`
			B      [][]int `json:"b"`
		}
		err := Unmarshal([]byte(c.text), "s/v1", limits, &v)
		switch {
		case c.fails == "" && (err != nil || v.A != 1 || v.B[0][0] != 2):
			t.Errorf("%s: %v, %+v", name, err, v)
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v, want %q", name, err, c.fails)
		}
	}
}
