//go:build linux

package hostile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSchemas(t *testing.T) { Run(t, schemas()) }

// schemas lists schemas that cost too much to compile or to validate against.
func schemas() []Case {
	var cases []Case
	add := func(name, limit string, files func() map[string]string) {
		cases = append(cases, Case{Name: name, Limit: limit, Run: func(ctx context.Context) error {
			f := files()
			f["templates/x.yaml"] = "# nothing\n"
			return RenderChart(ctx, f)
		}})
	}
	schema := func(name, limit, values string, text func() string) {
		add(name, limit, func() map[string]string {
			return map[string]string{"values.schema.json": text(), "values.yaml": values}
		})
	}
	for keyword, form := range map[string]string{
		"allOf": `{"allOf":[NEXT,NEXT]}`, "anyOf": `{"anyOf":[NEXT,NEXT]}`, "oneOf": `{"oneOf":[NEXT,NEXT]}`, "not": `{"allOf":[{"not":NEXT},{"not":NEXT}]}`,
		"if": `{"if":NEXT,"then":NEXT,"else":NEXT}`, "dependentSchemas": `{"dependentSchemas":{"a":NEXT,"b":NEXT}}`, "mixed": `{"allOf":[NEXT],"anyOf":[NEXT],"oneOf":[NEXT]}`,
		"unevaluated": `{"allOf":[NEXT,NEXT],"unevaluatedProperties":false}`, "three": `{"allOf":[NEXT,NEXT,NEXT]}`, "dependencies": `{"dependencies":{"a":NEXT,"b":NEXT}}`,
	} {
		for _, draft := range []string{"draft-07/schema#", "draft/2019-09/schema", "draft/2020-12/schema"} {
			for last, leaf := range map[string]string{"true": "true", "refusing": `{"required":["z"]}`} {
				schema(fmt.Sprintf("doubling %s of %s, %s", keyword, draft, last), "", "a: 1\nb: 1\n", func() string { return doubling(60, draft, form, leaf) })
			}
		}
	}
	for _, n := range []int{1000, 12_000, 60_000} {
		schema(fmt.Sprintf("chain of %d", n), "", "", func() string { return doubling(n, "draft/2020-12/schema", `{"allOf":[NEXT]}`, "true") })
		schema(fmt.Sprintf("%d references to places that are none", n), "", "", func() string {
			return `{"x":{` + repeated(n, `"k%d":{}`) + `},"allOf":[` + repeated(n, `{"$ref":"#/x/k%d"}`) + `]}`
		})
		schema(fmt.Sprintf("%d schemas", n), "", "", func() string { return `{"$defs":{` + repeated(n, `"k%d":{"type":"string"}`) + `}}` })
		schema(fmt.Sprintf("%d identifiers", n), "", "", func() string { return `{"$defs":{` + repeated(n, `"k%d":{"$id":"https://x/%[1]d"}`) + `}}` })
		schema(fmt.Sprintf("%d deep", n), "", "", func() string { return strings.Repeat(`{"not":`, n) + "{}" + strings.Repeat("}", n) })
		schema(fmt.Sprintf("%d long paths", n), "", "", func() string {
			return `{"properties":{"` + strings.Repeat("a", 100_000) + `":{"properties":{` + repeated(n, `"k%d":{}`) + `}}}}`
		})
		schema(fmt.Sprintf("enum of %d", n), "", "a: ["+strings.Repeat("1,", n)+"1]\n", func() string { return `{"properties":{"a":{"items":{"enum":[` + repeated(n, `"k%d"`) + `]}}}}` })
		schema(fmt.Sprintf("%d unknown names", n), "", repeatedLines(n), func() string {
			return `{"properties":{` + repeated(n, `"name%d":{}`) + `},"additionalProperties":false}`
		})
		schema(fmt.Sprintf("uniqueItems of %d", n), "", "a: ["+strings.Repeat("[[1]],", n)+"1]\n", func() string { return `{"properties":{"a":{"uniqueItems":true,"items":{"uniqueItems":true}}}}` })
	}
	for name, pattern := range map[string]string{
		"repeated": "(?:" + strings.Repeat("a", 3200) + "){1000}", "nested": "((a{0,30}){0,30})$", "many counted": strings.Repeat("a{0,1000}b?", 200) + "$",
		"classes": strings.Repeat(`\\pL`, 8000), "alternatives": strings.Repeat("a|", 10_000) + "b", "long": strings.Repeat("a", 80_000), "deep": strings.Repeat("(", 900) + strings.Repeat(")*", 900),
	} {
		text := strings.Repeat("a", 500_000)
		schema("pattern "+name, "", "a: "+text+"\n", func() string { return `{"properties":{"a":{"pattern":"` + pattern + `"}}}` })
		schema("pattern on keys "+name, "", "? "+text+"\n: 1\n", func() string { return `{"patternProperties":{"` + pattern + `":{}}}` })
		schema("60 patterns "+name, "", "", func() string { return `{"properties":{` + repeated(60, `"p%d":{"pattern":"`+pattern+`"}`) + `}}` })
		schema("format regex "+name, "", "a: '"+strings.ReplaceAll(pattern, `\\`, `\`)+"'\n", func() string {
			return `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"format":"regex"}}}`
		})
	}
	for _, ref := range []string{"http://127.0.0.1:1/x", "urn:x", "file:///etc/passwd", "file:///dev/zero", "file:///values.schema.json", "#", "#/x", "#a", "//x", "%zz"} {
		schema("reference to "+ref, "", "", func() string { return `{"allOf":[{"$ref":"` + ref + `"},{"$dynamicRef":"` + ref + `"}]}` })
	}
	for _, number := range []string{"1e999999", "1e-999999", strings.Repeat("9", 100_000)} {
		schema("number "+number[:4]+number[len(number)-2:], "", "a: 1\n", func() string {
			return `{"properties":{"a":{"multipleOf":` + number + `,"minimum":` + number + `,"const":` + number + `}}}`
		})
	}
	// The order of maps is random; the shortened form takes every so many cases.
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}

func doubling(levels int, draft, form, last string) string {
	base := "https://json-schema.org/"
	if strings.HasPrefix(draft, "draft-") {
		base = "http://json-schema.org/"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"$schema":"%s","allOf":[{"$ref":"#/definitions/d0"}],"definitions":{`, base+draft)
	for i := range levels {
		fmt.Fprintf(&b, `"d%d":%s,`, i, strings.ReplaceAll(form, "NEXT", fmt.Sprintf(`{"$ref":"#/definitions/d%d"}`, i+1)))
	}
	fmt.Fprintf(&b, `"d%d":%s}}`, levels, last)
	return b.String()
}

// repeated writes a form for each number, with commas between.
func repeated(n int, form string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

func repeatedLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}
