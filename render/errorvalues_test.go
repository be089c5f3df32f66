package render

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/internal/template"
)

// TestAttackValuesInErrors makes everything fail on a value, and looks for it in
// the error.
func TestAttackValuesInErrors(t *testing.T) {
	const canary = "canary[Errors-73"
	for name, text := range map[string]string{
		"urlParse":           `{{ urlParse (printf "http://user:%s@host:x" .Values.password) }}`,
		"urlJoin":            `{{ urlJoin (dict "host" (printf "%%zz%s" .Values.password)) }}{{ urlParse (printf "%%zz%s" .Values.password) }}`,
		"mustRegexMatch":     `{{ mustRegexMatch .Values.password "x" }}`,
		"mustRegexFind":      `{{ mustRegexFind .Values.password "x" }}`,
		"regexReplaceAll":    `{{ mustRegexReplaceAll .Values.password "x" "y" }}`,
		"regexSplit":         `{{ mustRegexSplit .Values.password "x" 1 }}`,
		"regexMatch":         `{{ regexReplaceAll .Values.password "x" "y" }}`,
		"semver":             `{{ semver .Values.password }}`,
		"semverCompare":      `{{ semverCompare .Values.password "1.2.3" }}`,
		"semverCompare, b":   `{{ semverCompare ">1" .Values.password }}`,
		"mustToDate":         `{{ mustToDate "2006" .Values.password }}`,
		"mustDateModify":     `{{ mustDateModify .Values.password now }}`,
		"mustFromJson":       `{{ mustFromJson .Values.password }}`,
		"toDecimal":          `{{ toDecimal .Values.password }}{{ fail "x" }}`,
		"decryptAES":         `{{ decryptAES "key" .Values.password }}`,
		"genCA":              `{{ genSelfSignedCert "x" (list .Values.password) nil 1 }}`,
		"buildCustomCert":    `{{ buildCustomCert .Values.password "x" }}`,
		"index":              `{{ index .Values.map .Values.password "x" }}`,
		"index of text":      `{{ index .Values.password "x" }}`,
		"slice":              `{{ slice .Values.password 1 99 }}`,
		"len":                `{{ len 1 }}{{ len .Values.password.x }}`,
		"eq of maps":         `{{ eq .Values.map .Values.map }}`,
		"lt":                 `{{ lt .Values.password 1 }}`,
		"a field of a text":  `{{ .Values.password.x.y }}`,
		"include":            `{{ include .Values.password . }}`,
		"template by tpl":    `{{ tpl (printf "{{ include %q . }}" .Values.password) . }}`,
		"tpl, no template":   `{{ tpl (printf "{{ %s" .Values.password) . }}`,
		"tpl of a value":     `{{ tpl .Values.text . }}`,
		"tpl that fails":     `{{ tpl .Values.failing . }}`,
		"tpl in tpl":         `{{ tpl .Values.nested . }}`,
		"required":           `{{ required (printf "no %s" .Values.password) nil }}`,
		"fail":               `{{ fail (printf "bad password %s" .Values.password) }}`,
		"fail, encoded":      `{{ fail (printf "bad password %s" (b64enc .Values.password)) }}`,
		"YAML of a value":    "a: {{ .Values.password }}]: x",
		"a document of text": `{{ .Values.password }}`,
		"an unknown anchor":  "a: *{{ .Values.anchor }}",
		"a wrong type":       "apiVersion: v1\nkind: X\nmetadata: {name: x, labels: {a: {b: {{ .Values.password | quote }}}}}",
		"metadata of text":   "apiVersion: v1\nkind: X\nmetadata: {{ .Values.password | quote }}",
		"kind of a list":     "apiVersion: v1\nkind: [{{ .Values.password | quote }}]",
		"a hook of a list":   "apiVersion: v1\nkind: X\nmetadata: {name: x, annotations: {helm.sh/hook: [{{ .Values.password | quote }}]}}",
		"get":                `{{ get .Values.password "x" }}`,
		"merge":              `{{ mustMerge .Values.map .Values.password }}`,
		"dig":                `{{ dig "a" "b" "c" .Values.password }}`,
		"substr":             `{{ substr 0 99 .Values.password }}{{ atoi .Values.password }}{{ int .Values.password | fail }}`,
		"repeat":             `{{ repeat .Values.password "x" }}`,
		"until":              `{{ until .Values.password }}`,
		"range":              `{{ range .Values.password }}{{ end }}`,
		"call":               `{{ call .Values.password }}`,
		"printf of a map":    `{{ fail (printf "%v" .Values.map.password) }}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := LoadFS(fstest.MapFS{
				"Chart.yaml": {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, "templates/x.yaml": {Data: []byte(text)},
			})
			if err != nil {
				t.Fatal(err)
			}
			values, err := MergeValues(FromMap("m", map[string]any{
				"password": canary, "map": map[string]any{"password": canary, "x": map[string]any{}}, "anchor": "canaryErrors73",
				"text": "{{ .Values.a.b.canaryErrors73 }}", "failing": `{{ mustFromJson "{canaryErrors73" }}`, "nested": `{{ tpl "{{ canaryErrors73 }}" . }}`,
			}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Render(t.Context(), Input{Name: "shop", Namespace: "shop", Values: values, Lookup: nil})
			if err == nil {
				t.Skip("does not fail")
			}
			var e *Error
			out := err.Error()
			if errors.As(err, &e) {
				out += fmt.Sprint(e.Expr, e.Include, e.Hint)
			}
			for _, shown := range []string{"canary[", "Errors-73", "canaryErrors73", "Y2FuYXJ5W0Vycm9ycy03M"} {
				// A missing value's path is its name.
				if strings.Contains(strings.ReplaceAll(out, "a.b.canaryErrors73", ""), shown) {
					t.Errorf("shows %s: %s", shown, out)
				}
			}
		})
	}
}

// What cannot be compared may come from anywhere: it is never shown, and Helm's text
// remains what the error unwraps to.
func TestAttackUncomparableValues(t *testing.T) {
	const secret = `(lookup "v1" "Secret" "shop" "a").data`
	const aMap, aList = `map[string]interface {}`, `[]interface {}`
	for call, want := range map[string]struct{ shown, helms string }{
		`eq ` + secret + ` (dict)`:                     {"eq: non-comparable type " + aMap, "non-comparable type map[]: " + aMap},
		`eq (dict) ` + secret:                          {"eq: non-comparable type " + aMap, "non-comparable type map[a:Y2FuYXJ5]: " + aMap},
		`eq ` + secret + ` (list 1)`:                   {"eq: non-comparable types " + aMap + " and " + aList, "non-comparable types map[a:Y2FuYXJ5]: " + aMap + ", " + aList + ": [1]"},
		`ne (list 1) (values ` + secret + `)`:          {"ne: non-comparable type " + aList, "non-comparable type [Y2FuYXJ5]: " + aList},
		`ne (dict) (list (` + secret + `.a | b64dec))`: {"ne: non-comparable types " + aMap + " and " + aList, aList + ": [canary]"},
		`tpl "{{ eq . . }}" ` + secret:                 {"eq: non-comparable type " + aMap, "non-comparable type map[a:Y2FuYXJ5]: " + aMap},
	} {
		t.Run(call, func(t *testing.T) {
			c, err := LoadFS(fstest.MapFS{
				"Chart.yaml": {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, "templates/x.yaml": {Data: []byte("{{ " + call + " }}")},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Render(t.Context(), Input{Name: "shop", Lookup: func(context.Context, string, string, string, string) (map[string]any, error) {
				return map[string]any{"data": map[string]any{"a": "Y2FuYXJ5"}}, nil
			}})
			if err == nil || strings.Contains(err.Error(), "Y2FuYXJ5") || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), want.shown) {
				t.Errorf("%v", err)
			}
			var helms *template.Error
			if !errors.As(err, &helms) || !strings.HasSuffix(helms.Error(), want.helms) {
				t.Errorf("not Helm's text: %v", helms)
			}
		})
	}
}

// TestAttackValuesInSetErrors gives layers that are wrong.
func TestAttackValuesInSetErrors(t *testing.T) {
	for name, layer := range map[string]Layer{
		"a comma in a value":    FromSet("password=abc,canary-Set-74"),
		"a comma and more":      FromSet("password=abc,canary-Set-74,x=1"),
		"no path":               FromSet("canary-Set-74"),
		"a list":                FromSet("a={x,canary-Set-74"),
		"an index":              FromSet("password=x,canary-Set-74[=1"),
		"a large index":         FromSet("password=x,canary-Set-74[99999999]=1"),
		"a string":              FromSetString("password=abc,canary-Set-74"),
		"JSON":                  FromSetJSON(`password=canary-Set-74`),
		"JSON, broken":          FromSetJSON(`password={"a":"canary-Set-74"`),
		"JSON, no path":         FromSetJSON(`canary-Set-74`),
		"a literal":             FromSetLiteral("canary-Set-74"),
		"a file":                FromSetFile("password=x,canary-Set-74"),
		"YAML":                  FromYAML("v", []byte("password: canary-Set-74\n x: y")),
		"YAML of text":          FromYAML("v", []byte("canary-Set-74")),
		"YAML of a quoted text": FromYAML("v", []byte(`password: "canary-Set-74`)),
		"YAML, anchor":          FromYAML("v", []byte(`password: *canary-Set-74`)),
		"YAML, tag":             FromYAML("v", []byte(`password: !!int canary-Set-74`)),
		"YAML, list":            FromYAML("v", []byte(`[canary-Set-74]`)),
		"a Go value":            FromMap("m", map[string]any{"a": struct{ A string }{"canary-Set-74"}}),
		"a channel":             FromMap("m", map[string]any{"a": []any{make(chan string), "canary-Set-74"}}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := MergeValues(layer)
			if err == nil {
				t.Skip("does not fail")
			}
			if strings.Contains(err.Error(), "canary-Set-74") {
				t.Errorf("shows it: %v", err)
			}
		})
	}
}
