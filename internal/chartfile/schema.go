package chartfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
)

// Violation is a value that a chart's schema refuses.
type Violation struct {
	Chart string   // the chart's full path
	Path  []string // where in the top chart's values; list items by their number
	// Wanted is what the schema asks for; Found what there is, "" for nothing.
	Wanted, Found string
}

// schemas keeps compiled schemas by the address of their text.
type schemas struct{ byText sync.Map }

type compiledSchema struct {
	schema *jsonschema.Schema
	err    error
}

// CheckSchemas holds coalesced values against the schemas of the chart and its
// enabled subcharts. What a schema refers to is looked up in its chart's own
// files; references to other places are taken to allow everything, because
// nothing is fetched. The error is an [*Error] for a schema that is broken
// itself.
func (c *Chart) CheckSchemas(i *Instance, values map[string]any) (found []Violation, err error) {
	defer recovered(&err)
	if err := c.checkSchema(i.root, values, nil, &found); err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Chart, b.Chart), slices.Compare(a.Path, b.Path), cmp.Compare(a.Wanted, b.Wanted))
	})
	return slices.CompactFunc(found, func(a, b Violation) bool {
		return a.Chart == b.Chart && slices.Equal(a.Path, b.Path) && a.Wanted == b.Wanted
	}), nil
}

func (c *Chart) checkSchema(ch *chart.Chart, values map[string]any, at []string, found *[]Violation) error {
	if ch.Schema != nil {
		schema, err := c.schemas.of(ch)
		if err != nil {
			return &Error{Chart: ch.ChartFullPath(), File: "values.schema.json", Err: err, Hint: "correct the schema, or set Input.SkipSchema"}
		}
		if values == nil {
			values = map[string]any{}
		}
		var invalid *jsonschema.ValidationError
		err = schema.Validate(values)
		if errors.As(err, &invalid) {
			flatten(invalid, schema, ch.ChartFullPath(), at, values, found)
		} else if err != nil {
			return &Error{Chart: ch.ChartFullPath(), File: "values.schema.json", Err: err, Hint: "correct the schema, or set Input.SkipSchema"}
		}
	}
	for _, sub := range ch.Dependencies() {
		raw := values[sub.Name()]
		if raw == nil {
			continue
		}
		below := append(slices.Clone(at), sub.Name())
		own, ok := raw.(map[string]any)
		if !ok {
			*found = append(*found, Violation{Chart: sub.ChartFullPath(), Path: below, Wanted: "a mapping", Found: show(raw, below)})
			continue
		}
		if err := c.checkSchema(sub, own, below, found); err != nil {
			return err
		}
	}
	return nil
}

func (s *schemas) of(c *chart.Chart) (*jsonschema.Schema, error) {
	if len(c.Schema) == 0 {
		return nil, errors.New("the file is empty")
	}
	key := &c.Schema[0]
	if known, ok := s.byText.Load(key); ok {
		compiled := known.(compiledSchema)
		return compiled.schema, compiled.err
	}
	schema, err := compileSchema(c)
	s.byText.Store(key, compiledSchema{schema, err})
	return schema, err
}

const schemaURL = "file:///values.schema.json"

func compileSchema(c *chart.Chart) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(schemaFiles{c})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaURL)
}

// schemaFiles gives what schemas refer to.
type schemaFiles struct{ chart *chart.Chart }

// Load gives a file of the chart, or a schema that allows everything.
func (s schemaFiles) Load(ref string) (any, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "file" {
		return true, nil
	}
	name := strings.TrimPrefix(u.Path, "/")
	for _, f := range s.chart.Files {
		if f.Name == name {
			return jsonschema.UnmarshalJSON(bytes.NewReader(f.Data))
		}
	}
	return nil, fmt.Errorf("the chart has no file %q", name)
}

// show writes a value that was found, short, and never a secret.
func show(v any, path []string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string, float64, int64, int, bool:
		for _, key := range path {
			if secretive(key) {
				return fmt.Sprintf("a hidden value of type %s", typeName(v))
			}
		}
		data, err := json.Marshal(v)
		if err != nil {
			return typeName(v)
		}
		if runes := []rune(string(data)); len(runes) > 60 {
			return string(runes[:60]) + "…"
		}
		return string(data)
	}
	return fmt.Sprintf("%T", v)
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "number"
}

func secretive(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"password", "passwd", "secret", "token", "apikey", "api_key", "private", "credential", "passphrase"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
