package chartfile

import (
	"context"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaStep charges n steps of compiling a schema or validating against it,
// and reports whether work may go on.
func (m *Meter) schemaStep(n int64) bool {
	if m.err != nil {
		return false
	}
	before := m.schemaSteps >> 12
	if m.schemaSteps += n; n < 0 || m.schemaSteps > m.limits.SchemaSteps {
		m.err = &LimitError{Limit: "SchemaSteps", Max: m.limits.SchemaSteps}
	} else if m.schemaSteps>>12 != before && m.ctx.Err() != nil {
		m.err = &endedError{context.Cause(m.ctx)}
	}
	return m.err == nil
}

// schemaTake charges memory until the schemas are checked.
func (m *Meter) schemaTake(n int64) bool {
	if !m.charge(n, "") {
		return false
	}
	m.schemaBytes += n
	return true
}

// schemasDone gives back what checking schemas took.
func (m *Meter) schemasDone() {
	m.memory.Release(m.schemaBytes)
	m.schemaBytes = 0
}

// schemaDepth bounds how many calls may nest, because the stack of a goroutine
// cannot be recovered once it is full: 10,000 with the default of SchemaSteps.
func (m *Meter) schemaDepth(n int) bool {
	if m.err == nil && int64(n) > min(m.limits.SchemaSteps/5000, 100_000) {
		m.err = &LimitError{Limit: "SchemaSteps", Max: m.limits.SchemaSteps, Subject: ", because schemas and values nest too deep"}
	}
	return m.err == nil
}

const (
	// visitSteps is what applying one schema to one value costs beyond its parts,
	// checkSteps what beginning to apply a schema costs the one around it.
	visitSteps = 128
	checkSteps = 16
)

// instrument makes each schema that the roots lead to charge its cost when it is
// applied. The library applies the format of a schema before it goes on to what
// is inside of it, so each gets a format that counts.
func (c *compiledSchema) instrument(roots []*jsonschema.Schema) {
	g := &schemaGraph{seen: map[*jsonschema.Schema]int{}}
	for _, root := range roots {
		g.collect(root)
	}
	g.anchors = roots[1:]
	for _, s := range g.order {
		c.charge(s)
	}
	c.chain = g.chain()
}

func (c *compiledSchema) charge(s *jsonschema.Schema) {
	if s.Bool != nil {
		return // true or false, counted by the schema around it
	}
	once, each := int64(visitSteps+len(s.Required)), int64(1)
	for _, child := range inPlace(s) {
		once += checkWeight(child)
	}
	for _, child := range s.Properties {
		once += checkWeight(child) - checkSteps
	}
	properties := len(s.Properties)
	for _, child := range s.PrefixItems {
		once += checkWeight(child)
	}
	for _, required := range s.DependentRequired {
		once += int64(len(required))
	}
	for _, child := range perItem(s) {
		each += checkWeight(child)
	}
	named, check := "", func(any) error { return nil }
	if s.Format != nil {
		named, check = s.Format.Name, s.Format.Validate
	}
	if named == "regex" {
		check = func(v any) error {
			text, ok := v.(string)
			if !ok {
				return nil
			}
			_, err := c.compilePattern(text)
			return err
		}
	}
	unique := s.UniqueItems
	s.Format = &jsonschema.Format{Name: named, Validate: func(v any) error {
		n := once
		switch v := v.(type) {
		case map[string]any:
			n += each*int64(len(v)) + checkSteps*int64(min(properties, len(v)))
		case []any:
			n += each * int64(len(v))
			if unique {
				n += sizeOf(v)
			}
		case string:
			n += int64(len(v)) / 8
		}
		if !c.meter.schemaStep(n) || !c.meter.schemaTake(c.meter.errorBytes) {
			panic(stopped{})
		}
		return check(v)
	}}
}

// checkWeight is what a schema costs before its format is applied.
func checkWeight(s *jsonschema.Schema) int64 {
	n := int64(checkSteps)
	if s.Enum != nil {
		n += sizeOf(s.Enum.Values)
	}
	if s.Const != nil {
		n += sizeOf(*s.Const)
	}
	return n
}

func sizeOf(v any) int64 {
	n := int64(1)
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			n += int64(len(key))/8 + sizeOf(item)
		}
	case []any:
		for _, item := range v {
			n += sizeOf(item)
		}
	case string:
		n += int64(len(v)) / 8
	}
	return n
}

// inPlace lists the schemas that a schema applies to the same value.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	add := func(schemas ...*jsonschema.Schema) {
		for _, s := range schemas {
			if s != nil {
				all = append(all, s)
			}
		}
	}
	add(s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else)
	if s.DynamicRef != nil {
		add(s.DynamicRef.Ref)
	}
	add(s.AllOf...)
	add(s.AnyOf...)
	add(s.OneOf...)
	for _, dependent := range s.DependentSchemas {
		add(dependent)
	}
	for _, dependent := range s.Dependencies {
		if schema, ok := dependent.(*jsonschema.Schema); ok {
			add(schema)
		}
	}
	return all
}

// perItem lists the schemas that a schema applies to each item or property.
func perItem(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	add := func(v any) {
		if schema, ok := v.(*jsonschema.Schema); ok && schema != nil {
			all = append(all, schema)
		}
	}
	for _, v := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems, s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema} {
		add(v)
	}
	for _, schema := range s.PatternProperties {
		add(schema)
	}
	if items, ok := s.Items.([]*jsonschema.Schema); ok {
		all = append(all, items...)
	}
	return all
}

// schemaGraph is what schemas refer to.
type schemaGraph struct {
	seen    map[*jsonschema.Schema]int // the length of the longest chain from here; 0: not known
	order   []*jsonschema.Schema
	anchors []*jsonschema.Schema
	cyclic  bool
}

func (g *schemaGraph) collect(root *jsonschema.Schema) {
	pending := []*jsonschema.Schema{root}
	for len(pending) > 0 {
		s := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if _, ok := g.seen[s]; ok || s == nil {
			continue
		}
		g.seen[s] = 0
		g.order = append(g.order, s)
		pending = append(pending, inPlace(s)...)
		pending = append(pending, perItem(s)...)
		pending = append(pending, s.PrefixItems...)
		for _, property := range s.Properties {
			pending = append(pending, property)
		}
	}
}

// chain returns how many schemas may apply to one value inside of each other:
// the longest way, or all schemas where there is a circle, which the library
// reports once it is in it.
func (g *schemaGraph) chain() int {
	longest := 0
	for _, s := range g.order {
		longest = max(longest, g.from(s))
	}
	if g.cyclic {
		return len(g.order)
	}
	return longest
}

func (g *schemaGraph) from(s *jsonschema.Schema) int {
	switch known := g.seen[s]; {
	case known > 0:
		return known
	case known < 0:
		g.cyclic = true
		return 0
	}
	g.seen[s] = -1
	next := inPlace(s)
	if s.DynamicRef != nil || s.RecursiveRef != nil {
		next = append(next, g.anchors...)
	}
	longest := 0
	for _, below := range next {
		longest = max(longest, g.from(below))
	}
	g.seen[s] = longest + 1
	return longest + 1
}
