package chartfile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
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

// SchemaLoader loads what a schema refers to by a URL outside of its chart.
type SchemaLoader func(ctx context.Context, url string) ([]byte, error)

// RefError reports a reference to a schema outside of the chart that was not
// loaded.
type RefError struct {
	URL string
	Err error // of the loader; nil if there is none
}

func (e *RefError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the reference to %s cannot be loaded: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("the reference to %s leads out of the chart", e.URL)
}

// Unwrap returns the loader's error, or nil.
func (e *RefError) Unwrap() error { return e.Err }

// maxViolations is how many violations are reported of one chart and its
// subcharts.
const maxViolations = 100

// CheckSchemas validates coalesced values against the schemas of the chart and
// its enabled subcharts. References are resolved in the chart's own files, others
// by the loader; without one they are an error. The error is an [*Error] for a
// schema that is broken itself, and a [*LimitError] for one that costs too much.
func (c *Chart) CheckSchemas(i *Instance, values map[string]any, load SchemaLoader, m *Meter) (found []Violation, err error) {
	defer recovered(&err)
	defer m.schemasDone()
	if err := c.checkSchema(i.root, values, nil, load, m, &found); err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Chart, b.Chart), slices.Compare(a.Path, b.Path), cmp.Compare(a.Wanted, b.Wanted))
	})
	return slices.CompactFunc(found, func(a, b Violation) bool {
		return a.Chart == b.Chart && slices.Equal(a.Path, b.Path) && a.Wanted == b.Wanted
	}), nil
}

func (c *Chart) checkSchema(ch *chart.Chart, values map[string]any, at []string, load SchemaLoader, m *Meter, found *[]Violation) error {
	if ch.Schema != nil {
		if values == nil {
			values = map[string]any{}
		}
		invalid, err := c.schemas.validate(ch, values, at, load, m)
		if err != nil {
			return schemaError(ch, err)
		}
		*found = append(*found, invalid...)
	}
	for _, sub := range ch.Dependencies() {
		raw := values[sub.Name()]
		if raw == nil {
			continue
		}
		if len(*found) >= maxViolations {
			return nil
		}
		below := append(slices.Clone(at), sub.Name())
		own, ok := raw.(map[string]any)
		if !ok {
			*found = append(*found, Violation{Chart: sub.ChartFullPath(), Path: below, Wanted: "a mapping", Found: show(raw, below)})
			continue
		}
		if err := c.checkSchema(sub, own, below, load, m, found); err != nil {
			return err
		}
	}
	return nil
}

// maxSchemaError is how long the text of an error may be: it repeats keys and
// patterns of the schema, which may be megabytes.
const maxSchemaError = 2000

// schemaError says of which file an error is. Limits and the end of the context
// stay what they are.
func schemaError(ch *chart.Chart, err error) error {
	const file = "values.schema.json"
	var limit *LimitError
	var ref *RefError
	e := &Error{Chart: ch.ChartFullPath(), File: file, Err: err, Hint: "correct the schema, or set Input.SkipSchema"}
	if text := err.Error(); len(text) > maxSchemaError {
		e.Err = &cause{strings.ToValidUTF8(text[:maxSchemaError], "") + "…", err}
	}
	switch {
	case errors.As(err, &limit):
		return &LimitError{Limit: limit.Limit, Max: limit.Max, Subject: path.Join(e.Chart, file) + limit.Subject}
	case errors.As(err, new(*endedError)):
		return err
	case errors.As(err, &ref) && ref.Err == nil:
		e.Hint = "give Input.SchemaLoader to load it, put a copy into the chart and refer to that, or set Input.SkipSchema"
	case errors.As(err, &ref):
		e.Hint = "look at the error of Input.SchemaLoader"
	}
	return e
}

// schemas keeps compiled schemas by the address of their text.
type schemas struct {
	mu     sync.Mutex
	byText map[*byte]*compiledSchemas
}

// compiledSchemas are the compiled forms of one text that are not in use: one
// counts the steps of one validation at a time.
type compiledSchemas struct {
	err  error // the schema is broken
	free []*compiledSchema
}

const (
	maxFreeSchemas = 16
	emptyText      = "the file is empty"
)

func (s *schemas) validate(ch *chart.Chart, values map[string]any, at []string, load SchemaLoader, m *Meter) ([]Violation, error) {
	if len(ch.Schema) == 0 {
		return nil, errors.New(emptyText)
	}
	schema, err := s.acquire(ch, load, m)
	if err != nil {
		return nil, err
	}
	invalid, err := schema.validate(ch, values, at, m)
	s.release(ch, schema)
	return invalid, err
}

// acquire returns a compiled schema that no other goroutine uses.
func (s *schemas) acquire(ch *chart.Chart, load SchemaLoader, m *Meter) (*compiledSchema, error) {
	key := &ch.Schema[0]
	s.mu.Lock()
	known := s.byText[key]
	if known != nil && known.err != nil {
		defer s.mu.Unlock()
		return nil, known.err
	}
	var free *compiledSchema
	if known != nil && len(known.free) > 0 {
		last := len(known.free) - 1
		free, known.free = known.free[last], known.free[:last]
	}
	s.mu.Unlock()
	if free != nil && free.current(load, m) {
		return free, nil
	}
	schema, err := compileSchema(ch, load, m)
	if err != nil && m.err == nil && !errors.As(err, new(*RefError)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.entry(key).err = err
	}
	return schema, err
}

func (s *schemas) release(ch *chart.Chart, schema *compiledSchema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entry(&ch.Schema[0]); len(e.free) < maxFreeSchemas {
		e.free = append(e.free, schema)
	}
}

func (s *schemas) entry(key *byte) *compiledSchemas {
	if s.byText == nil {
		s.byText = map[*byte]*compiledSchemas{}
	}
	if s.byText[key] == nil {
		s.byText[key] = &compiledSchemas{}
	}
	return s.byText[key]
}

// compiledSchema is a schema that counts what validating costs.
type compiledSchema struct {
	schema *jsonschema.Schema
	remote map[string][sha256.Size]byte // what the loader gave, by URL
	chain  int                          // how many schemas may apply to one value inside of each other
	meter  *Meter                       // of the compilation or validation that runs
}

// current reports whether what was loaded for the schema is still the same.
func (c *compiledSchema) current(load SchemaLoader, m *Meter) bool {
	for url, sum := range c.remote {
		if load == nil {
			return false
		}
		data, err := load(m.ctx, url)
		if err != nil || sha256.Sum256(data) != sum {
			return false
		}
	}
	return true
}

// stopped is the panic by which a validation ends early: the library has no
// other way out of its recursion. The reason is in the meter.
type stopped struct{}

func (c *compiledSchema) validate(ch *chart.Chart, values map[string]any, at []string, m *Meter) (found []Violation, err error) {
	depth := depthOf(values, 0)
	if !m.schemaDepth((depth + 1) * (c.chain + 1)) {
		return nil, m.err
	}
	m.errorBytes = 200 + 16*int64(depth)
	c.meter = m
	defer func() {
		c.meter = nil
		switch r := recover().(type) {
		case nil:
		case stopped:
			found, err = nil, m.err
		default:
			panic(r)
		}
	}()
	var invalid *jsonschema.ValidationError
	switch err := c.schema.Validate(values); {
	case errors.As(err, &invalid):
		f := flattener{schema: c.schema, chart: ch.ChartFullPath(), at: at, values: values}
		f.flatten(invalid)
		return f.found, nil
	case err != nil:
		return nil, err
	}
	return nil, nil
}

func depthOf(v any, depth int) int {
	most := depth
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			most = max(most, depthOf(item, depth+1))
		}
	case []any:
		for _, item := range v {
			most = max(most, depthOf(item, depth+1))
		}
	}
	return most
}
