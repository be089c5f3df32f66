package chartfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// flattener lists what a validation found, no more than maxViolations.
type flattener struct {
	schema *jsonschema.Schema
	chart  string   // the chart's full path
	at     []string // where its values stand in the top chart's
	values any
	found  []Violation
}

func (f *flattener) full() bool { return len(f.found) >= maxViolations }

func (f *flattener) add(path []string, wanted, got string) {
	if !f.full() {
		f.found = append(f.found, Violation{Chart: f.chart, Path: path, Wanted: wanted, Found: got})
	}
}

// flatten lists the innermost errors, but an alternative of which nothing fits
// as one.
func (f *flattener) flatten(e *jsonschema.ValidationError) {
	if f.full() {
		return
	}
	path := append(slices.Clone(f.at), e.InstanceLocation...)
	value, present := lookup(f.values, e.InstanceLocation)
	got := ""
	if present {
		got = show(value, path)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			f.add(append(slices.Clone(path), name), "a value, it is required", "")
		}
	case *kind.AdditionalProperties:
		f.unknown(k.Properties, e.InstanceLocation, path)
	case *kind.FalseSchema:
		if f.isGlobal(e.InstanceLocation) {
			f.add(path, globalRefused, got)
			return
		}
		f.add(path, wanted(k), got)
	case *kind.AnyOf, *kind.OneOf:
		// Every alternative has its own complaint; when all are about the same
		// place and type they are worth one line together.
		if wanted := alternatives(e); wanted != "" {
			f.add(path, wanted, got)
			return
		}
		if len(e.Causes) == 0 {
			f.add(path, "exactly one of the schema's alternatives", got)
			return
		}
		f.causes(e)
	default:
		if len(e.Causes) > 0 {
			f.causes(e)
			return
		}
		f.add(path, wanted(e.ErrorKind), got)
	}
}

func (f *flattener) causes(e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		f.flatten(cause)
	}
}

const globalRefused = "no value \"global\", which Helm's rules put into the values of every subchart: allow \"global\" in the properties of this schema"

// isGlobal reports whether a place in the values of a subchart is that of the
// globals, which are not set there.
func (f *flattener) isGlobal(at []string) bool {
	return len(f.at) > 0 && len(at) == 1 && at[0] == globalKey
}

// unknown lists names that a schema does not have, in order.
func (f *flattener) unknown(names, at, path []string) {
	known := namesAt(f.schema, at)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if f.full() {
			return
		}
		inside := append(slices.Clone(at), name)
		value, _ := lookup(f.values, inside)
		text := globalRefused
		if !f.isGlobal(inside) {
			text = unknownName(name, known)
		}
		child := append(slices.Clone(path), name)
		f.add(child, text, show(value, child))
	}
}

// alternatives names what any of a list of alternatives allows, if each fails
// for its type or its set of values at the place itself.
func alternatives(e *jsonschema.ValidationError) string {
	var wants []string
	for _, cause := range e.Causes {
		for len(cause.Causes) == 1 {
			cause = cause.Causes[0]
		}
		if len(cause.Causes) > 0 || !slices.Equal(cause.InstanceLocation, e.InstanceLocation) || len(wants) == maxListed {
			return ""
		}
		wants = append(wants, wanted(cause.ErrorKind))
	}
	return strings.Join(wants, " or ")
}

func wanted(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return strings.Join(k.Want, " or ")
	case *kind.Enum:
		return "one of " + list(k.Want)
	case *kind.Const:
		return list([]any{k.Want})
	case *kind.Pattern:
		return "text that matches " + short(k.Want)
	case *kind.Format:
		return "text of the format " + k.Want
	case *kind.Minimum:
		return "a number of at least " + k.Want.RatString()
	case *kind.Maximum:
		return "a number of at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "a number above " + k.Want.RatString()
	case *kind.ExclusiveMaximum:
		return "a number below " + k.Want.RatString()
	case *kind.MultipleOf:
		return "a multiple of " + k.Want.RatString()
	case *kind.MinLength:
		return fmt.Sprintf("text of at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("text of at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("a list of at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("a list of at most %d items", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("a mapping of at least %d keys", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("a mapping of at most %d keys", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("different items, %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.FalseSchema:
		return "no such value"
	case *kind.Not:
		return "anything but what the schema excludes here"
	case *kind.RefCycle:
		return "a schema that does not refer to itself without end"
	case *kind.DependentRequired:
		return short(fmt.Sprintf("%s too, because %s is given", strings.Join(k.Missing, ", "), k.Prop))
	case *kind.Dependency:
		return short(fmt.Sprintf("%s too, because %s is given", strings.Join(k.Missing, ", "), k.Prop))
	}
	return "what the schema says under " + strings.Join(k.KeywordPath(), "/")
}

// maxListed is how many allowed values an error lists, maxText how long each
// and a pattern may be.
const (
	maxListed = 50
	maxText   = 200
)

func list(values []any) string {
	var texts []string
	for _, v := range values {
		if len(texts) == maxListed {
			texts = append(texts, "…")
			break
		}
		data, err := json.Marshal(v)
		if err != nil {
			data = fmt.Append(nil, v)
		}
		texts = append(texts, short(string(data)))
	}
	return strings.Join(texts, ", ")
}

func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// lookup follows keys and item numbers.
func lookup(v any, path []string) (any, bool) {
	for _, key := range path {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[key]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}
