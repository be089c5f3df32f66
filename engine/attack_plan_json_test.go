package engine_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// attackTexts are edits of the text of a plan: what another reader of JSON may
// have shown as something else, and what is meant to exhaust the reader.
var attackTexts = map[string]func(text string) string{
	"kind twice": func(s string) string {
		return strings.Replace(s, `"kind":"Upgrade"`, `"kind":"Uninstall","kind":"Upgrade"`, 1)
	},
	"kind twice, later": func(s string) string { return strings.TrimSuffix(s, "}") + `,"kind":"Uninstall"}` },
	"key twice":         func(s string) string { return strings.TrimSuffix(s, "}") + `,"release":{"name":"bank"}}` },
	"name twice":        func(s string) string { return strings.Replace(s, `"name":"shop"}`, `"name":"bank","name":"shop"}`, 1) },
	"report twice": func(s string) string {
		return strings.TrimSuffix(s, "}") + `,"report":{"schema":"fairlead.dev/report/v1","summary":"","changes":[]}}`
	},
	"desired value twice": func(s string) string {
		return strings.Replace(s, `"desired":"red"`, `"desired":"good","desired":"red"`, 1)
	},
	"escaped member":     func(s string) string { return strings.TrimSuffix(s, "}") + `,"\u006bind":"Uninstall"}` },
	"member in capitals": func(s string) string { return strings.TrimSuffix(s, "}") + `,"KIND":"Uninstall"}` },
	"member with Kelvin": func(s string) string { return strings.TrimSuffix(s, "}") + `,"` + "\u212a" + `ind":"Uninstall"}` },
	"null hooks":         func(s string) string { return strings.TrimSuffix(s, "}") + `,"laterHooks":null}` },
	"null problems":      func(s string) string { return strings.TrimSuffix(s, "}") + `,"problems":null}` },
	"two documents":      func(s string) string { return s + s },
	"text behind":        func(s string) string { return s + "x" },
	"text before":        func(s string) string { return "\ufeff" + s },
	"a comment":          func(s string) string { return "/* reviewed */" + s },
	"cut":                func(s string) string { return s[:len(s)/2] },
	"nothing":            func(string) string { return "" },
	"null":               func(string) string { return "null" },
	"a list":             func(s string) string { return "[" + s + "]" },
	"a text":             func(s string) string { return mustJSON(s) },
	"empty":              func(string) string { return "{}" },
	"schema alone":       func(string) string { return `{"schema":"fairlead.dev/plan/v1"}` },
	"report alone":       func(string) string { return `{"schema":"fairlead.dev/report/v1","summary":"","changes":[]}` },
	"deep":               func(s string) string { return deepened(s, 2000) },
	"too deep for JSON":  func(s string) string { return deepened(s, 200_000) },
	"deep and open": func(s string) string {
		return strings.Replace(s, `"desired":"red"`, `"desired":`+strings.Repeat("[", 200_000), 1)
	},
	"huge": func(s string) string {
		return strings.Replace(s, `"desired":"red"`, `"desired":"`+strings.Repeat("x", 33<<20)+`"`, 1)
	},
	"many changes": func(s string) string {
		return strings.Replace(s, `"changes":[`, `"changes":[`+strings.Repeat(`{"object":{"kind":"A","name":"a"},"action":"Unchanged"},`, 100_000), 1)
	},
	"too many changes": func(s string) string {
		return strings.Replace(s, `"changes":[`, `"changes":[`+strings.Repeat(`{},`, 3_000_000), 1)
	},
	"many changes that say nothing": func(s string) string {
		return strings.Replace(s, `"changes":[`, `"changes":[`+strings.Repeat(`{},`, 1_000_000), 1)
	},
	"many members": func(s string) string {
		var b strings.Builder
		b.WriteString(strings.TrimSuffix(s, "}"))
		for range 100_000 {
			b.WriteString(`,"x":1`)
		}
		return b.String() + "}"
	},
	"a number too large":   func(s string) string { return strings.Replace(s, `"desired":"red"`, `"desired":1e999999`, 1) },
	"a number that is NaN": func(s string) string { return strings.Replace(s, `"desired":"red"`, `"desired":NaN`, 1) },
	"invalid UTF-8":        func(s string) string { return strings.Replace(s, `"desired":"red"`, "\"desired\":\"r\xffd\"", 1) },
	"a terminal's escape": func(s string) string {
		return strings.Replace(s, `"desired":"red"`, `"desired":"\u001b[2J\u009b2J\nred"`, 1)
	},
	"half a surrogate":     func(s string) string { return strings.Replace(s, `"desired":"red"`, `"desired":"\ud800"`, 1) },
	"a member of a member": func(s string) string { return strings.Replace(s, `"desired":"red"`, `"desired":{"":{"":"red"}}`, 1) },
	"quotes in a key": func(s string) string {
		return strings.Replace(s, `"name":"shop"}`, `"name":"shop\",\"name\":\"bank"}`, 1)
	},
}

func deepened(text string, depth int) string {
	return strings.Replace(text, `"desired":"red"`, `"desired":`+strings.Repeat("[", depth)+strings.Repeat("]", depth), 1)
}

// A text that is no plan as the engine writes it is refused, and what a plan
// says in another way than a reader may have seen.
func TestAttackPlanTexts(t *testing.T) {
	f := newFixture(t)
	plan := f.attackPlans()["upgrade"]
	e, attempts := f.platform(engine.Options{})
	for _, name := range slices.Sorted(maps.Keys(attackTexts)) {
		edited := attackTexts[name](plan.stored)
		if edited == plan.stored {
			t.Errorf("%s: nothing was edited", name)
			continue
		}
		f.wantHarmless(name, f.applyText(e, edited, plan.opts), attempts(), "")
	}
	// Spacing and order do not matter.
	var sorted map[string]any
	if err := json.Unmarshal([]byte(plan.stored), &sorted); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(sorted, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as written": plan.stored, "sorted and indented": string(text),
		"with many notes": strings.Replace(plan.stored, `"notes":[`, `"notes":[`+strings.Repeat(`"[secret 00000000]",`, 500_000), 1),
	} {
		if err := f.applyText(e, text, plan.opts); err == nil || len(attempts()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var read engine.Plan
	if err := json.Unmarshal([]byte(`{"schema":"fairlead.dev/plan/v1","x":1}`), &read); !errors.Is(err, engine.ErrPlanInvalid) {
		t.Errorf("an unknown member: %v", err)
	}
}
