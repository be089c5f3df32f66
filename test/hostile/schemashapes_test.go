//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestSchemaShapes validates values against schemas of unusual keywords, numbers
// and sizes.
func TestSchemaShapes(t *testing.T) { Run(t, schemaShapes()) }

func schemaShapes() []Case {
	var cases []Case
	add := func(name string, values func() string, schema func() string) {
		cases = append(cases, Case{Name: name, Run: func(ctx context.Context) error {
			return RenderChart(ctx, map[string]string{"values.schema.json": schema(), "values.yaml": values(), "templates/x.yaml": "# nothing\n"})
		}})
	}
	for _, format := range []string{"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri", "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex", "period", "semver", "unknown"} {
		for name, text := range map[string]string{"letters": strings.Repeat("a", 1_000_000), "dots": strings.Repeat("a.", 500_000), "slashes": strings.Repeat("/~0{%41}", 150_000), "numbers": strings.Repeat("1", 1_000_000)} {
			for _, draft := range []string{"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"} {
				if draft[4] == 's' && name != "letters" {
					continue // formats are annotations there
				}
				add("format "+format+" of many "+name+", "+draft[len(draft)-9:], func() string { return "a: '" + text + "'\nb: ['" + text + "', '" + text + "']\n" }, func() string {
					return `{"$schema":"` + draft + `","properties":{"a":{"format":"` + format + `"},"b":{"items":{"format":"` + format + `"}}}}`
				})
			}
		}
	}
	add("many patternProperties over many keys", func() string { return repeatedLines(20_000) }, func() string {
		return `{"patternProperties":{` + repeated(5000, `"^k.*%d$":{"type":"integer"}`) + `},"additionalProperties":false}`
	})
	add("patternProperties that call themselves", func() string { return deepMaps(2000) }, func() string { return `{"patternProperties":{".*":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}` })
	add("dynamic references that double", func() string { return deepMaps(200) }, func() string {
		return `{"$dynamicAnchor":"n","properties":{"a":{"anyOf":[{"$dynamicRef":"#n"},{"$dynamicRef":"#n"}]}}}`
	})
	add("dynamic references to themselves", func() string { return "a: 1\n" }, func() string { return `{"$dynamicAnchor":"n","allOf":[{"$dynamicRef":"#n"}]}` })
	add("recursive references to themselves", func() string { return "a: 1\n" }, func() string {
		return `{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"allOf":[{"$recursiveRef":"#"}]}`
	})
	add("many dynamic anchors", func() string { return "a: 1\n" }, func() string {
		return `{"$defs":{` + repeated(3000, `"s%d":{"$id":"https://x.test/%[1]d","$dynamicAnchor":"n","$ref":"https://x.test/z"}`) + `,"z":{"$id":"https://x.test/z","$dynamicAnchor":"n","$dynamicRef":"#n"}},"allOf":[` + repeated(3000, `{"$ref":"https://x.test/%d"}`) + `]}`
	})
	add("unevaluatedProperties that nest", func() string { return deepMaps(300) }, func() string {
		return strings.Repeat(`{"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false,"properties":{"a":`, 300) + "{}" + strings.Repeat("}}", 300)
	})
	add("unevaluatedProperties over many keys", func() string { return repeatedLines(20_000) }, func() string {
		return `{"anyOf":[` + repeated(2000, `{"properties":{"k%d":true}}`) + `],"unevaluatedProperties":false}`
	})
	add("unevaluatedItems over many branches", func() string { return "a: [" + strings.Repeat("1,", 20_000) + "1]\n" }, func() string {
		return `{"properties":{"a":{"anyOf":[` + repeated(2000, `{"prefixItems":[{"minimum":%d}]}`) + `],"unevaluatedItems":{"type":"string"}}}}`
	})
	add("contains over many items", func() string { return "a: [" + strings.Repeat("[1],", 50_000) + "1]\n" }, func() string {
		return `{"properties":{"a":{"allOf":[` + repeated(2000, `{"contains":{"items":{"const":%d}},"minContains":100000}`) + `]}}}`
	})
	add("dependentSchemas of every key", func() string { return repeatedLines(3000) }, func() string { return `{"dependentSchemas":{` + repeated(3000, `"k%d":{"required":["z"]}`) + `}}` })
	add("dependentSchemas that call themselves", func() string { return "a: 1\nb: 1\n" }, func() string { return `{"dependentSchemas":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}` })
	add("dependentRequired of every key", func() string { return repeatedLines(3000) }, func() string {
		return `{"dependentRequired":{` + repeated(3000, `"k%d":[`+repeated(300, `"y%d"`)+`]`) + `}}`
	})
	add("conditions that nest", func() string { return "a: 1\n" }, func() string {
		return strings.Repeat(`{"if":{"required":["a"]},"then":`, 20_000) + "false" + strings.Repeat(`}`, 20_000)
	})
	add("conditions of conditions", func() string { return "a: 1\n" }, func() string {
		return strings.Repeat(`{"if":`, 5000) + "true" + strings.Repeat(`,"then":{"if":true,"else":false},"else":false}`, 5000)
	})
	add("a long enum of long texts", func() string { return "a: x\n" }, func() string {
		return `{"properties":{"a":{"enum":[` + repeated(40, `"%d`+strings.Repeat("y", 100_000)+`"`) + `]}}}`
	})
	add("enums of deep lists", func() string { return "a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n" }, func() string {
		return `{"properties":{"a":{"enum":[` + strings.Repeat(strings.Repeat("[", 900)+strings.Repeat("]", 900)+",", 500) + `1]}}}`
	})
	add("a const of a large map", func() string { return "a: {" + repeated(50_000, "k%d: 1") + "}\n" }, func() string { return `{"properties":{"a":{"const":{` + repeated(50_000, `"k%d":2`) + `}}}}` })
	for _, number := range []string{"1e400", "1e-300", "1e-400", "4.9e-324", "0.1", "1e1000000000", "-0", "0"} {
		for _, keyword := range []string{"multipleOf", "maximum", "exclusiveMinimum", "maxLength", "minItems", "maxProperties", "minContains", "const"} {
			add(keyword+" of "+number, func() string { return "a: 1.7976931348623157e+308\nb: [1, 2]\nc: x\nd: {e: 1e-320}\n" }, func() string {
				return fmt.Sprintf(`{"additionalProperties":{"%s":%s,"contains":true,"additionalProperties":{"%[1]s":%[2]s}}}`, keyword, number)
			})
		}
	}
	for _, value := range []string{"1e400", ".inf", ".nan", strings.Repeat("9", 500_000), "1e-400", "0." + strings.Repeat("0", 500_000) + "1"} {
		add("a value of "+shorten(value)[:min(6, len(value))]+" over all keywords", func() string { return "a: " + value + "\nb: [" + value + ", " + value + "]\n" }, func() string {
			return `{"additionalProperties":{"multipleOf":1e-300,"minimum":-1e300,"exclusiveMaximum":1e300,"enum":[1e300,"x"],"type":["integer","array"],"uniqueItems":true,"items":{"multipleOf":0.01}}}`
		})
	}
	SortCases(cases)
	return cases
}

// deepMaps are values that nest so deep under the key a.
func deepMaps(n int) string { return strings.Repeat("{a: ", n) + "1" + strings.Repeat("}", n) + "\n" }
