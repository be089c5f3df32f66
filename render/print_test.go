package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestAttackPrintedValues prints and logs everything that holds values, in every
// way that a program may by mistake.
func TestAttackPrintedValues(t *testing.T) {
	const canary = "canary-Printed-71"
	layers := []Layer{
		FromMap("m", map[string]any{"password": canary}), FromYAML("y", []byte("password: "+canary)), FromSet("a=b,password=" + canary),
		FromSetString("password=" + canary), FromSetJSON(`password="` + canary + `"`), FromSetLiteral("password=" + canary),
	}
	values, err := MergeValues(layers...)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "shop", Namespace: "shop", Values: values}
	type inside struct {
		Values Values
		hidden Values
		Layer  Layer
		layer  Layer
		Input  Input
		input  *Input
		Any    any
	}
	nested := inside{values, values, layers[0], layers[2], in, &in, values}
	printed := map[string]any{
		"Values": values, "*Values": &values, "Layer": layers[0], "Layer of a set": layers[2], "Layers": layers, "Input": in, "*Input": &in,
		"struct": nested, "*struct": &nested, "slice": []any{values, in}, "map": map[string]any{"a": values}, "slice of Values": []Values{values},
	}
	for name, v := range printed {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %s shows it: %s", verb, name, out)
			}
		}
		var out bytes.Buffer
		text := slog.New(slog.NewTextHandler(&out, nil))
		text.Info("x", "v", v)
		text.With("v", v).WithGroup("g").Info("x", slog.Group("h", "v", v))
		if strings.Contains(out.String(), canary) {
			t.Errorf("the text log of %s shows it: %s", name, &out)
		}
	}
	// A log in JSON is covered where slog asks the value itself; what is inside of
	// others is written by encoding/json, which stores values.
	for _, name := range []string{"Values", "*Values", "Layer", "Layer of a set", "Layers", "Input", "*Input"} {
		var out bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&out, nil))
		log.Info("x", "v", printed[name])
		log.With("v", printed[name]).WithGroup("g").Info("x", slog.Group("h", "v", printed[name], slog.Group("i", "v", printed[name])))
		if strings.Contains(out.String(), canary) {
			t.Errorf("the JSON log of %s shows it: %s", name, &out)
		}
	}
	for _, v := range []any{layers, in, &in} {
		if out, err := json.Marshal(v); err != nil || strings.Contains(string(out), canary) {
			t.Errorf("JSON of %T: %s, %v", v, out, err)
		}
	}
	// Values are stored as JSON, and come back.
	data, err := json.Marshal(values)
	var back Values
	if err != nil || json.Unmarshal(data, &back) != nil || back.Map()["password"] != canary {
		t.Errorf("not stored: %s, %v", data, err)
	}
}
