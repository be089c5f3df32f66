package chartfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
)

const schemaURL = "file:///values.schema.json"

func compileSchema(ch *chart.Chart, load SchemaLoader, m *Meter) (*compiledSchema, error) {
	c := &compiledSchema{remote: map[string][sha256.Size]byte{}, meter: m}
	defer func() { c.meter = nil }()
	files := &schemaFiles{chart: ch, load: load, compiled: c}
	doc, err := files.read(schemaURL, ch.Schema)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(files)
	compiler.UseRegexpEngine(c.compilePattern)
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	c.schema, err = compiler.Compile(schemaURL)
	switch {
	case m.err != nil:
		return nil, m.err
	case files.failed != nil:
		return nil, files.failed
	case err != nil:
		return nil, err
	}
	roots := []*jsonschema.Schema{c.schema}
	for _, anchor := range files.anchors {
		if schema, err := compiler.Compile(anchor); err == nil {
			roots = append(roots, schema)
		}
	}
	c.instrument(roots)
	return c, m.err
}

// schemaFiles loads what schemas refer to.
type schemaFiles struct {
	chart    *chart.Chart
	load     SchemaLoader
	compiled *compiledSchema
	anchors  []string // of schemas that dynamic references may lead to
	weight   int64    // what compiling the documents costs
	failed   error    // the first failure to load
}

// Load returns a file of the chart, or what the caller's loader returns.
func (s *schemaFiles) Load(ref string) (any, error) {
	doc, err := s.document(ref)
	if err != nil && s.failed == nil {
		s.failed = err
	}
	return doc, err
}

func (s *schemaFiles) document(ref string) (any, error) {
	m := s.compiled.meter
	if !m.schemaStep(1000) {
		return nil, m.err
	}
	u, err := url.Parse(ref)
	if err != nil {
		return nil, errors.New("a reference is not a valid URL")
	}
	if u.Scheme == "file" {
		name := strings.TrimPrefix(u.Path, "/")
		for _, f := range s.chart.Files {
			if f.Name == name {
				return s.read(ref, f.Data)
			}
		}
		return nil, fmt.Errorf("the chart has no file %q", name)
	}
	shown := redactURL(u)
	if s.load == nil {
		return nil, &RefError{URL: shown}
	}
	data, err := s.load(m.ctx, ref)
	if err != nil {
		return nil, &RefError{URL: shown, Err: err}
	}
	s.compiled.remote[ref] = sha256.Sum256(data)
	doc, err := s.read(ref, data)
	if err != nil {
		return nil, &RefError{URL: shown, Err: err}
	}
	return doc, nil
}

// redactURL leaves out the password and the query, which may be a signature.
func redactURL(u *url.URL) string {
	clean := *u
	if clean.RawQuery != "" {
		clean.RawQuery = "redacted"
	}
	return clean.Redacted()
}

// read decodes a schema, after what decoding and compiling it costs is charged.
func (s *schemaFiles) read(location string, text []byte) (any, error) {
	m := s.compiled.meter
	// Each value of a document has a comma, a colon or an opening bracket.
	values, depth, deepest := 1, 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ',' || c == ':':
			values++
		case c == '{' || c == '[':
			values++
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	if !m.schemaStep(int64(values)) || !m.schemaTake(int64(values)*entryBytes+int64(len(text))) || !m.schemaDepth(10*deepest) {
		return nil, m.err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	w := documentWeight{files: s, location: location}
	w.visit(doc, 0)
	// The library looks for each schema among all others, and copies what it knows
	// of the document for each reference to a place where no schema is expected.
	s.weight += w.objects
	m.schemaStep(s.weight*s.weight/8 + w.objects*(w.references+w.identifiers))
	return doc, cmpErr(m.err, w.err)
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// documentWeight counts what makes a document costly to compile.
type documentWeight struct {
	files                            *schemaFiles
	location                         string
	path                             []string // of the value that is visited
	objects, references, identifiers int64
	err                              error
}

const (
	schemaBytes   = 1 << 10 // what one compiled schema takes, roughly
	maxNumberText = 400     // longer than any finite float64
)

// visit counts a value. Length is that of its path.
func (w *documentWeight) visit(v any, length int) {
	m := w.files.compiled.meter
	switch v := v.(type) {
	case map[string]any:
		w.objects++
		if !m.schemaTake(schemaBytes + 4*int64(length)) {
			return
		}
		if ref, ok := v["$ref"].(string); ok && unusual(ref) {
			w.references++
		}
		for _, key := range []string{"$id", "id"} {
			if _, ok := v[key].(string); ok {
				w.identifiers++
			}
		}
		if v["$dynamicAnchor"] != nil || v["$recursiveAnchor"] != nil {
			w.files.anchors = append(w.files.anchors, w.location+"#"+url.PathEscape(w.pointer()))
		}
		for key, item := range v {
			w.below(item, key, length)
		}
	case []any:
		for i, item := range v {
			w.below(item, strconv.Itoa(i), length)
		}
	case json.Number:
		// As a fraction a number is as long as its exponent is large.
		if _, exponent, ok := strings.Cut(strings.ToLower(string(v)), "e"); len(v) > maxNumberText || ok && len(strings.TrimLeft(exponent, "+-0")) > 3 {
			w.err = errors.New("a number is too long")
		}
	}
}

func (w *documentWeight) below(v any, key string, length int) {
	w.path = append(w.path, key)
	w.visit(v, length+1+len(key))
	w.path = w.path[:len(w.path)-1]
}

// pointer returns the JSON pointer of the value that is visited.
func (w *documentWeight) pointer() string {
	var b strings.Builder
	for _, key := range w.path {
		b.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// unusual reports whether a reference leads to a place of a document where no
// schema is expected.
func unusual(ref string) bool {
	_, fragment, _ := strings.Cut(ref, "#")
	if !strings.HasPrefix(fragment, "/") {
		return false // an anchor, or the whole document
	}
	named := []string{"definitions", "$defs", "properties", "patternProperties", "dependentSchemas", "dependencies", "allOf", "anyOf", "oneOf", "prefixItems"}
	single := []string{"not", "if", "then", "else", "items", "contains", "additionalProperties", "additionalItems", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
	parts := strings.Split(fragment[1:], "/")
	for i := 0; i < len(parts); i++ {
		switch {
		case slices.Contains(named, parts[i]) && i+1 < len(parts):
			i++
		case !slices.Contains(single, parts[i]):
			return true
		}
	}
	return false
}
