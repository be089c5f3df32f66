//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

func seeds(f *testing.F) {
	for i := range 12 {
		var data []byte
		for j := range 60 {
			data = append(data, byte(i*37+j*(2*i+7)+j*j))
		}
		f.Add(data)
	}
}

// fuzzed loads and renders a chart, or a kustomization, within small limits.
func fuzzed(t *testing.T, files chartFiles) {
	within(t, files, func() error {
		fsys := fstest.MapFS{}
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		var source interface {
			Render(ctx context.Context, in render.Input) (*render.Manifest, error)
		}
		var err error
		if _, ok := files["Chart.yaml"]; ok {
			source, err = render.Loader{Limits: fuzzLimits}.FS(t.Context(), fsys)
		} else {
			source, err = render.LoadKustomizationWith(t.Context(), fsys, ".", render.KustomizeOptions{Limits: fuzzLimits})
		}
		if err != nil {
			return err
		}
		_, err = source.Render(t.Context(), render.Input{Name: "demo", Limits: fuzzLimits})
		return err
	})
}

// FuzzSchema validates values against schemas whose parts refer to each other.
func FuzzSchema(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &choices{data}
		fuzzed(t, chartFiles{
			"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "values.yaml": c.schemaValues(), "values.schema.json": c.schema(),
			"templates/x.yaml": "# nothing\n",
		})
	})
}

func (c *choices) schema() string {
	draft := c.one("http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema", "http://json-schema.org/draft-04/schema#")
	n := 1 + c.pick(40)
	definitions := make([]string, n)
	for i := range n {
		definitions[i] = fmt.Sprintf(`"d%d":%s`, i, c.subschema(3, n))
	}
	body := strings.TrimPrefix(c.subschema(4, n), "{")
	if !strings.HasSuffix(body, "}") {
		body = "}"
	}
	separator := ","
	if body == "}" {
		separator = ""
	}
	return fmt.Sprintf(`{"$schema":%q,"$dynamicAnchor":"node","definitions":{%s}%s%s`, draft, strings.Join(definitions, ","), separator, body)
}

func (c *choices) subschema(depth, n int) string {
	sub := func() string { return c.subschema(depth-1, n) }
	list := func() string { return "[" + c.many(3, ",", sub) + "]" }
	if depth <= 0 {
		return c.one("{}", "true", "false", fmt.Sprintf(`{"$ref":"#/definitions/d%d"}`, c.pick(n)))
	}
	members := map[string]string{}
	for range c.pick(4) {
		switch c.pick(24) {
		case 0:
			members["allOf"] = list()
		case 1:
			members["anyOf"] = list()
		case 2:
			members["oneOf"] = list()
		case 3:
			members["not"] = sub()
		case 4:
			members["if"], members["then"], members["else"] = sub(), sub(), sub()
		case 5, 6, 7:
			members["$ref"] = fmt.Sprintf(`"#/definitions/d%d"`, c.pick(n))
		case 8:
			members["properties"] = `{"a":` + sub() + `,"b":` + sub() + "}"
		case 9:
			members["additionalProperties"] = sub()
		case 10:
			members["patternProperties"] = `{"` + c.pattern() + `":` + sub() + "}"
		case 11:
			members["propertyNames"] = sub()
		case 12:
			members["items"] = sub()
		case 13:
			members["contains"] = sub()
		case 14:
			members["unevaluatedProperties"] = sub()
		case 15:
			members["unevaluatedItems"] = sub()
		case 16:
			members["dependentSchemas"] = `{"a":` + sub() + `,"b":` + sub() + "}"
		case 17:
			members["pattern"] = `"` + c.pattern() + `"`
		case 18:
			members["enum"] = "[" + strings.TrimSuffix(c.times(`"k%d",`), ",") + "]"
		case 19:
			members["uniqueItems"] = "true"
		case 20:
			members["$dynamicRef"] = c.one(`"#node"`, `"#"`, `"#/definitions/d0"`)
		case 21:
			members["format"] = c.one(`"regex"`, `"date-time"`, `"uri"`, `"email"`, `"ipv6"`, `"json-pointer"`, `"uri-template"`, `"idn-hostname"`, `"duration"`)
		case 22:
			members["multipleOf"] = c.one("1e-300", "1e300", "3", "0.000000001", "99999999999999999999999999999999999")
		case 23:
			members["required"] = "[" + strings.TrimSuffix(c.times(`"k%d",`), ",") + "]"
		}
	}
	var parts []string
	for name, text := range members {
		parts = append(parts, fmt.Sprintf("%q:%s", name, text))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// pattern is a regular expression, as a part of JSON.
func (c *choices) pattern() string {
	p := c.one("a", "a*", "(a|b)", "[a-z]", `\\pL`, "a{0,30}", ".")
	for range c.pick(5) {
		switch c.pick(6) {
		case 0:
			p = "(" + p + ")*"
		case 1:
			p = "(" + p + fmt.Sprintf("){0,%d}", c.count())
		case 2:
			p += p
		case 3:
			p = "(" + p + "|b)?"
		case 4:
			p = strings.Repeat(p, min(c.count(), 2000/len(p)+1))
		case 5:
			p = "^" + p + "$"
		}
	}
	return p
}

func (c *choices) schemaValues() string {
	leaf := func() string {
		return c.one("1", "x", "null", "1.5", "1e300", strings.Repeat("a", 10*c.count()), "["+strings.Repeat("a, ", c.count())+"]", "{"+c.times("k%d: 1, ")+"}", strings.Repeat("[", 50)+strings.Repeat("]", 50))
	}
	text := ""
	for _, key := range []string{"a", "b", "c"} {
		if c.pick(3) > 0 {
			text += fmt.Sprintf("%s: {a: {a: %s, b: %s}, b: %s}\n", key, leaf(), leaf(), leaf())
		} else {
			text += key + ": " + leaf() + "\n"
		}
	}
	return text
}

// FuzzStructure renders charts with dependencies that multiply.
func FuzzStructure(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &choices{data}
		files := chartFiles{}
		c.chart(files, "", "web", 1+c.pick(6))
		fuzzed(t, files)
	})
}

func (c *choices) chart(files chartFiles, dir, name string, depth int) {
	text := fmt.Sprintf("apiVersion: v2\nname: %s\nversion: 1.0.0\n", name)
	if depth > 0 {
		text += "dependencies:\n"
		for i := range 1 + c.pick(3) {
			sub := fmt.Sprintf("s%d", i)
			aliases := c.count()
			for j := range aliases {
				text += fmt.Sprintf("- {name: %s, version: '*'%s%s}\n", sub, c.one("", fmt.Sprintf(", alias: %s-%d", sub, j), fmt.Sprintf(", alias: a%d", j%3)), c.one("",
					", condition: 'a.on,global.on,"+strings.Repeat("x.", 30)+"y'", ", tags: [t, u]", ", import-values: [data, {child: ., parent: x}, {child: x, parent: .}]", ", import-values: [{child: global, parent: global}]"))
			}
			c.chart(files, dir+"charts/"+sub+"/", sub, depth-1)
		}
	}
	files[dir+"Chart.yaml"] = text
	files[dir+"values.yaml"] = c.one("", "on: true\n", "a: {on: true}\ntags: {t: true}\n", "x: {y: {z: 1}}\n", "exports: {data: {a: 1}}\n") +
		"global:\n  on: true\n" + c.times("  g%d: {a: 1}\n") + c.one("", "s0: {a: 1, global: {b: 1}}\n", "s0:\n"+c.times("  k%d: v\n"), "s0: null\n", "s0: text\n")
	files[dir+"templates/x.yaml"] = c.one("# nothing\n", "# {{ .Values | toYaml | len }}\n", `{{ define "`+name+`" }}{{ .Chart.Name }}{{ end }}# {{ include "`+name+`" . }}`+"\n")
}

// FuzzKustomization builds kustomizations that do much to many objects.
func FuzzKustomization(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &choices{data}
		files := chartFiles{
			"x.yaml": c.objects(), "p.yaml": c.objects(), "c.yaml": "namePrefix:\n" + c.times("- {path: spec/a%d}\n") + "nameReference:\n- kind: ConfigMap\n  fieldSpecs:\n" + c.times("  - {path: spec/a%d, kind: Pod}\n"),
			"t.yaml": "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: x}\nlabels:\n" + c.times("  a%d: b\n") + "fieldSpecs:\n" + c.times("- {path: metadata/labels/x%d, create: true}\n"),
			"d.json": c.one(`{"A":{"Schema":{"properties":{"kind":{},"apiVersion":{},"metadata":{},"a":{"$ref":"B"},"b":{"$ref":"B"}}}},"B":{"Schema":{"properties":{"a":{"$ref":"C"},"b":{"$ref":"C"}}}},"C":{}}`, `{"A":{"Schema":{"properties":{"kind":{},"apiVersion":{},"metadata":{},"a":{"$ref":"A"}}}}}`, "{}"),
		}
		files["kustomization.yaml"] = "resources: [x.yaml]\n" + c.kustomization()
		if c.pick(3) == 0 {
			files["up/kustomization.yaml"], files["kustomization.yaml"] = files["kustomization.yaml"], "resources: [up]\n"+c.kustomization()
			for _, name := range []string{"x.yaml", "p.yaml", "c.yaml", "t.yaml", "d.json"} {
				files["up/"+name] = files[name]
			}
		}
		fuzzed(t, files)
	})
}

func (c *choices) objects() string {
	return c.many(3, "", func() string {
		body := c.one("data: {a: b}\n", "data: {"+c.times("k%d: v, ")+"}\n", "spec: {containers: ["+c.times("{name: c%d, image: i}, ")+"]}\n", "data: {a: "+strings.Repeat("x", 20*c.count())+"}\n",
			"data: {a: '"+strings.Repeat("$(V)", c.count())+"'}\n", "spec: "+strings.Repeat("{a: ", 60)+strings.Repeat("}", 60)+"\n", "data: {a: b/c}\nspec: {a: &a [x, x], b: ["+strings.Repeat("*a, ", c.count())+"]}\n")
		object := "---\napiVersion: v1\nkind: " + c.one("ConfigMap", "Pod", "Secret", "List") + "\nmetadata: {name: a%d}\n" + strings.ReplaceAll(body, "%", "%%")
		// Building the input must not be what takes the memory.
		return numbered(object, min(c.count(), 1+300_000/len(object)))()
	})
}

func (c *choices) kustomization() string {
	seen := map[string]bool{}
	var b strings.Builder
	for range 1 + c.pick(4) {
		field := c.one("images", "labels", "commonAnnotations", "replicas", "patches", "replacements", "configurations", "transformers", "crds", "configMapGenerator", "namePrefix", "vars", "sortOptions", "buildMetadata", "patches", "replacements")
		if seen[field] {
			continue
		}
		seen[field] = true
		b.WriteString(field + c.fieldText(field))
	}
	return b.String()
}

func (c *choices) fieldText(field string) string {
	path := func() string {
		return c.one("data.a", "data", "data.b", "metadata.name", "spec.containers.*.image", "metadata.labels.x", "data.[k1]")
	}
	quoted := func(p string) string { return "'" + strings.ReplaceAll(p, `\\`, `\`) + "'" }
	switch field {
	case "images":
		return ":\n" + c.many(3, "", func() string { return "- {name: " + quoted(c.pattern()) + ", newTag: x}\n" }) + c.times("- {name: i%d, newTag: x}\n")
	case "labels":
		return ":\n" + c.times("- {pairs: {a%d: b}, includeSelectors: true}\n")
	case "commonAnnotations":
		return ":\n" + c.times("  a%d: b\n")
	case "replicas":
		return ":\n" + c.times("- {name: a%d, count: 2}\n")
	case "patches":
		return ":\n" + c.many(3, "", func() string {
			return c.one("- {path: p.yaml}\n", "- {path: p.yaml, target: {kind: ConfigMap}}\n", "- target: {name: "+quoted(c.pattern())+"}\n  patch: |-\n    - {op: add, path: /data, value: {a: b}}\n"+c.times("    - {op: copy, from: /data, path: /data/a%d}\n"),
				"- target: {kind: Pod}\n  patch: |-\n    - {op: add, path: /x, value: []}\n"+strings.Repeat("    - {op: add, path: /x/0, value: a}\n", c.count()))
		})
	case "replacements":
		return ":\n" + c.many(5, "", func() string {
			one := "- {source: {kind: ConfigMap, name: a0, fieldPath: " + path() + "}, targets: [{select: {" + c.one("kind: ConfigMap", "name: a0", "name: 'a.*'") + "}, fieldPaths: [" + path() + ", " + path() + "], options: {create: true" + c.one("", ", delimiter: /, index: 1", ", delimiter: /, index: 100000") + "}}]}\n"
			return strings.Repeat(one, min(c.count(), 40))
		})
	case "configurations":
		return ": [c.yaml]\n"
	case "transformers":
		return ": [" + strings.Repeat("t.yaml, ", min(c.count(), 50)) + "]\n"
	case "crds":
		return ": [d.json]\n"
	case "configMapGenerator":
		return ":\n" + c.times("- {name: g%d, literals: [a=b, c=d]}\n")
	case "namePrefix":
		return ": x-\n"
	case "vars":
		return ":\n- {name: V, objref: {kind: ConfigMap, name: a0, apiVersion: v1}, fieldref: {fieldpath: " + c.one("metadata.name", "data.a") + "}}\n"
	case "sortOptions":
		return ":\n  order: legacy\n  legacySortOptions: {orderFirst: [" + c.times("A%d, ") + "]}\n"
	}
	return ": [" + c.one("transformerAnnotations", "originAnnotations", "managedByLabel, transformerAnnotations") + "]\n"
}
