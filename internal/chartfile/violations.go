package chartfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// flatten lists what a validation found: the innermost errors, but an
// alternative of which nothing fits as one.
func flatten(e *jsonschema.ValidationError, schema *jsonschema.Schema, chart string, at []string, values any, found *[]Violation) {
	path := append(slices.Clone(at), e.InstanceLocation...)
	value, present := lookup(values, e.InstanceLocation)
	add := func(path []string, wanted, got string) {
		*found = append(*found, Violation{Chart: chart, Path: path, Wanted: wanted, Found: got})
	}
	got := ""
	if present {
		got = show(value, path)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			add(append(slices.Clone(path), name), "a value, it is required", "")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			child := append(slices.Clone(path), name)
			value, _ := lookup(values, append(slices.Clone(e.InstanceLocation), name))
			add(child, unknownName(name, namesAt(schema, e.InstanceLocation)), show(value, child))
		}
	case *kind.AnyOf, *kind.OneOf:
		// Every alternative has its own complaint; when all are about the same
		// place and type they are worth one line together.
		if wanted := alternatives(e); wanted != "" {
			add(path, wanted, got)
			return
		}
		if len(e.Causes) == 0 {
			add(path, "exactly one of the schema's alternatives", got)
			return
		}
		for _, cause := range e.Causes {
			flatten(cause, schema, chart, at, values, found)
		}
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				flatten(cause, schema, chart, at, values, found)
			}
			return
		}
		add(path, wanted(e.ErrorKind), got)
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
		if len(cause.Causes) > 0 || !slices.Equal(cause.InstanceLocation, e.InstanceLocation) {
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
		return "text that matches " + k.Want
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
	case *kind.DependentRequired:
		return fmt.Sprintf("%s too, because %s is given", strings.Join(k.Missing, ", "), k.Prop)
	case *kind.Dependency:
		return fmt.Sprintf("%s too, because %s is given", strings.Join(k.Missing, ", "), k.Prop)
	}
	return "what the schema says: " + k.LocalizedString(message.NewPrinter(language.English))
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		data, err := json.Marshal(v)
		if err != nil {
			data = []byte(fmt.Sprint(v))
		}
		texts[i] = string(data)
	}
	return strings.Join(texts, ", ")
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
