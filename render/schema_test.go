package render

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func withSchema(t testing.TB, schema, values string) *Chart {
	t.Helper()
	c, err := LoadFS(fstest.MapFS{
		"Chart.yaml":         {Data: []byte(hostileChart)},
		"values.schema.json": {Data: []byte(schema)},
		"values.yaml":        {Data: []byte(values)},
		"templates/x.yaml":   {Data: []byte("# {{ .Values | toJson }}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// doubled is a schema of definitions, each of which refers twice to the next.
func doubled(levels int, keyword, last string) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/definitions/d0","definitions":{`)
	for i := range levels {
		next := fmt.Sprintf(`{"$ref":"#/definitions/d%d"}`, i+1)
		fmt.Fprintf(&b, `"d%d":%s,`, i, strings.ReplaceAll(keyword, "NEXT", next))
	}
	fmt.Fprintf(&b, `"d%d":%s}}`, levels, last)
	return b.String()
}

func TestHostileSchemas(t *testing.T) {
	var wide strings.Builder
	for i := range 60 {
		fmt.Fprintf(&wide, `"p%d":{"pattern":"(?:%s){1000}"},`, i, strings.Repeat("a", 3200))
	}
	text := strings.Repeat("a", 60_000)
	items := "a: [" + strings.Repeat("1,", 100_000) + "1]"
	for name, c := range map[string]struct{ schema, values, limit string }{
		"allOf":             {doubled(40, `{"allOf":[NEXT,NEXT]}`, "true"), "", "SchemaSteps"},
		"anyOf":             {doubled(40, `{"anyOf":[NEXT,NEXT]}`, `{"required":["z"]}`), "", "SchemaSteps"},
		"oneOf":             {doubled(40, `{"oneOf":[NEXT,NEXT]}`, `{"required":["z"]}`), "", "SchemaSteps"},
		"not":               {doubled(40, `{"allOf":[{"not":NEXT},{"not":NEXT}]}`, `{"required":["z"]}`), "", "SchemaSteps"},
		"if":                {doubled(40, `{"if":NEXT,"then":NEXT}`, `{}`), "", "SchemaSteps"},
		"dependentSchemas":  {doubled(40, `{"dependentSchemas":{"a":NEXT,"b":NEXT}}`, `{}`), "a: 1\nb: 1", "SchemaSteps"},
		"dependencies":      {`{"$schema":"http://json-schema.org/draft-07/schema#",` + doubled(40, `{"dependencies":{"a":NEXT,"b":NEXT}}`, `{}`)[1:], "a: 1\nb: 1", "SchemaSteps"},
		"patternProperties": {doubled(40, `{"patternProperties":{"a":NEXT,"a+":NEXT}}`, `{"maxLength":0}`), "a: " + strings.Repeat("{a: ", 41) + "1" + strings.Repeat("}", 41), "MemoryBytes"},
		"unevaluated":       {doubled(40, `{"allOf":[NEXT,NEXT],"unevaluatedProperties":false}`, "{}"), "a: 1", "SchemaSteps"},
		"dynamic reference": {doubled(40, `{"allOf":[NEXT,NEXT],"$dynamicRef":"#m"}`, `{"$dynamicAnchor":"m"}`), "", "SchemaSteps"},
		"large patterns":    {`{"properties":{` + wide.String() + `"z":{}}}`, "", "MemoryBytes"},
		"nested quantifier": {`{"properties":{"a":{"pattern":"` + strings.Repeat("a{0,1000}b?", 20) + `$"}}}`, "a: " + text, "SchemaSteps"},
		"pattern on keys":   {`{"patternProperties":{"` + strings.Repeat("a{0,1000}b?", 20) + `$":{}}}`, "? " + text + "\n: 1\n", "SchemaSteps"},
		"pattern of format": {`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"format":"regex"}}}`, "a: '((a{1000}){30}){30}'", ""},
		"large enum":        {`{"properties":{"a":{"items":{"enum":[` + strings.Repeat(`"x",`, 50_000) + `"y"]}}}}`, items, "SchemaSteps"},
		"many true":         {`{"properties":{"a":{"items":{"allOf":[` + strings.Repeat(`true,`, 20_000) + `true]}}}}`, items, "SchemaSteps"},
		"long chain":        {doubled(12_000, `{"allOf":[NEXT]}`, "true"), "", "SchemaSteps"},
		"deep":              {strings.Repeat(`{"not":`, 5000) + "{}" + strings.Repeat("}", 5000), "", "SchemaSteps"},
		"many schemas":      {`{"$defs":{` + strings.Repeat(`"a":{},`, 10) + manyKeys(100_000, `{"type":"string"}`) + `}}`, "", ""},
		"unusual refs":      {`{"x":{` + manyKeys(20_000, `{}`) + `},"allOf":[` + manyRefs(20_000) + `]}`, "", "SchemaSteps"},
		"long number":       {`{"minimum":1e999999}`, "", ""},
		"long paths":        {`{"properties":{"` + strings.Repeat("a", 100_000) + `":{"properties":{` + manyKeys(5000, `{}`) + `}}}}`, "", "MemoryBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			chart := withSchema(t, c.schema, c.values)
			// Time is by the clock, which goes on while a busy machine does other work;
			// what is held here is the processors' time.
			in := Input{Name: "demo", Limits: Limits{Time: 10 * time.Minute}}
			run := func() error {
				_, err := chart.Render(t.Context(), in)
				return err
			}
			if c.limit == "" {
				boundedAny(t, run)
				return
			}
			bounded(t, c.limit, run)
		})
	}
}

// boundedAny bounds what may fail with any error of this package.
func boundedAny(t *testing.T, run func() error) {
	t.Helper()
	begin := processorTime(t)
	err := run()
	if took := processorTime(t) - begin; took > 4*time.Second*slowdown() {
		t.Errorf("it took %s of processors' time", took)
	}
	var e *Error
	var s *SchemaError
	if !errors.As(err, &e) && !errors.As(err, &s) {
		t.Errorf("%T: %v", err, err)
	}
}

func manyKeys(n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%s,`, i, value)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func manyRefs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"$ref":"#/x/k%d"},`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// A schema ends with the context, and costs the next render nothing.
func TestSchemaEndsWithTheContext(t *testing.T) {
	c := withSchema(t, doubled(40, `{"allOf":[NEXT,NEXT]}`, "true"), "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Render(ctx, Input{Name: "demo", Limits: Limits{SchemaSteps: -1, MemoryBytes: -1}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	_, err = c.Render(t.Context(), Input{Name: "demo", Limits: Limits{SchemaSteps: -1, MemoryBytes: -1, Time: 50 * time.Millisecond}})
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != "Time" {
		t.Errorf("%v", err)
	}
	if _, err := c.Render(t.Context(), Input{Name: "demo", SkipSchema: true}); err != nil {
		t.Errorf("the next render: %v", err)
	}
}

// A limit can be raised, and the same chart then renders.
func TestSchemaLimitsCanBeRaised(t *testing.T) {
	c := withSchema(t, doubled(12, `{"allOf":[NEXT,NEXT]}`, "true"), "")
	_, err := c.Render(t.Context(), Input{Name: "demo", Limits: Limits{SchemaSteps: 100_000}})
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != "SchemaSteps" || !strings.Contains(limit.Subject, "web/values.schema.json") {
		t.Errorf("%v", err)
	}
	if _, err := c.Render(t.Context(), Input{Name: "demo"}); err != nil {
		t.Error(err)
	}
}

// Renders at once do not share what counts their steps.
func TestSchemasOfRendersAtOnce(t *testing.T) {
	c := withSchema(t, `{"properties":{"port":{"type":"integer","maximum":10},"name":{"pattern":"^[a-z]+$"}}}`, "port: 1\nname: web\n")
	bad, err := MergeValues(FromYAML("v", []byte("port: 11\nname: Web\n")))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			in := Input{Name: "demo"}
			if i%2 == 1 {
				in.Values = bad
			}
			for range 20 {
				_, err := c.Render(t.Context(), in)
				var refused *SchemaError
				if i%2 == 0 && err != nil || i%2 == 1 && (!errors.As(err, &refused) || len(refused.Violations) != 2) {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	group.Wait()
}

func TestReferencesOutOfTheChart(t *testing.T) {
	for _, ref := range []string{"http://example.com/p.json", "https://example.com/p.json#/definitions/x", "urn:example:p", "file:///etc/passwd", "file:///other.json"} {
		c := withSchema(t, `{"properties":{"port":{"$ref":"`+ref+`"}}}`, "port: x\n")
		_, err := c.Render(t.Context(), Input{Name: "demo"})
		if err == nil {
			t.Errorf("%s allows everything", ref)
			continue
		}
		var e *Error
		var remote *RemoteError
		if !errors.As(err, &e) || e.File != "web/values.schema.json" {
			t.Errorf("%s: %v", ref, err)
		}
		if inFile := strings.HasPrefix(ref, "file:"); errors.As(err, &remote) == inFile || !inFile && !strings.Contains(err.Error(), "Input.SchemaLoader") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestSchemaLoader(t *testing.T) {
	c := withSchema(t, `{"properties":{"port":{"$ref":"http://example.com/p.json?sig=abc"}}}`, "port: x\n")
	schema, asked := `{"type":"integer"}`, 0
	load := func(_ context.Context, url string) ([]byte, error) {
		asked++
		if url != "http://example.com/p.json?sig=abc" {
			t.Errorf("asked for %s", url)
		}
		return []byte(schema), nil
	}
	_, err := c.Render(t.Context(), Input{Name: "demo", SchemaLoader: load})
	var refused *SchemaError
	if !errors.As(err, &refused) || refused.Violations[0].Wanted != "integer" {
		t.Errorf("%v", err)
	}
	schema = `{"type":"string"}` // what was compiled before is not used
	if _, err := c.Render(t.Context(), Input{Name: "demo", SchemaLoader: load}); err != nil {
		t.Error(err)
	}
	if _, err := c.Render(t.Context(), Input{Name: "demo"}); err == nil {
		t.Error("a render without a loader uses what another one loaded")
	}
	failure := errors.New("no network")
	_, err = c.Render(t.Context(), Input{Name: "demo", SchemaLoader: func(context.Context, string) ([]byte, error) { return nil, failure }})
	if !errors.Is(err, failure) || strings.Contains(err.Error(), "abc") {
		t.Errorf("%v", err)
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

// Helm's rules put the globals into the values of every subchart, where a schema
// may forget them.
func TestGlobalRefusedBySubchart(t *testing.T) {
	c, err := LoadFS(fstest.MapFS{
		"Chart.yaml":                   {Data: []byte(hostileChart)},
		"charts/gw/Chart.yaml":         {Data: []byte("apiVersion: v2\nname: gw\nversion: 1.0.0\n")},
		"charts/gw/values.schema.json": {Data: []byte(`{"additionalProperties":false}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Render(t.Context(), Input{Name: "demo"})
	if err == nil || !strings.Contains(err.Error(), "Helm's rules put") {
		t.Errorf("%v", err)
	}
}

// An error of a broken schema is readable, however long its keys are.
func TestSchemaErrorsAreShort(t *testing.T) {
	for _, schema := range []string{`{"patternProperties":{"` + strings.Repeat("a", 1_000_000) + `":{}}}`, `{"$ref":"#/` + strings.Repeat("a", 1_000_000) + `"}`} {
		_, err := withSchema(t, schema, "").Render(t.Context(), Input{Name: "demo"})
		if err == nil || len(err.Error()) > 3000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

// Errors of a schema show nothing that may be a secret.
func TestSchemaErrorsHideValues(t *testing.T) {
	c := withSchema(t, `{"properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"enum":["x"]}},"additionalProperties":false}`, "")
	for _, secret := range []string{"hunter2", "s3cr3t", "correct horse", "ABCDEF", "postgres://u:p@h/d", "1234567890"} {
		v, err := MergeValues(FromMap("v", map[string]any{"a": secret, "b": 1234567, "c": secret, "d": secret}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Render(t.Context(), Input{Name: "demo", Values: v})
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%v", err)
		}
	}
}

func BenchmarkSchema(b *testing.B) {
	var values strings.Builder
	for i := range 300 {
		fmt.Fprintf(&values, "k%d: {port: %d, name: web, list: [a, b, c]}\n", i, i)
	}
	c := withSchema(b, `{"additionalProperties":{"properties":{"port":{"type":"integer","maximum":65535},"name":{"type":"string","pattern":"^[a-z]+$"},"list":{"items":{"type":"string"}}}}}`, values.String())
	for b.Loop() {
		if _, err := c.Render(b.Context(), Input{Name: "demo"}); err != nil {
			b.Fatal(err)
		}
	}
}
