package schema

import (
	"bytes"
	"encoding/json"
)

// Node is a JSON Schema, draft 7, whose properties keep the order of the Go struct that they came from.
type Node struct {
	Description string
	Type        []string // one or several of JSON Schema's types; none: anything
	Ref         string   // name of a definition; excludes everything but Description and Default
	Properties  []Property
	Closed      bool   // no keys but those of Properties
	Values      *Node  // of an object's other keys
	KeyPattern  string // of those keys
	Required    []string
	Items       *Node
	Enum        []string
	Pattern     string
	Minimum     *int64
	Maximum     *int64
	MinLength   *int64
	MaxLength   *int64
	Default     any
}

// Property is a key of an object and what it holds.
type Property struct {
	Name string
	*Node
}

// Property returns the named property, or nil.
func (n *Node) Property(name string) *Node {
	for _, p := range n.Properties {
		if p.Name == name {
			return p.Node
		}
	}
	return nil
}

type pair struct {
	key   string
	value any
}

type ordered []pair

func (o ordered) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := marshal(p.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(p.value)
		if err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// marshal leaves <, > and & as they are: a schema is read by people.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

func (n *Node) MarshalJSON() ([]byte, error) { return marshal(n.pairs()) }

func (n *Node) pairs() ordered {
	var out ordered
	add := func(key string, value any, present bool) {
		if present {
			out = append(out, pair{key, value})
		}
	}
	add("description", n.Description, n.Description != "")
	if n.Ref != "" {
		// Draft 7 ignores what stands beside $ref, its neighbours are for readers.
		add("$ref", "#/definitions/"+n.Ref, true)
		add("default", n.Default, n.Default != nil)
		return out
	}
	switch len(n.Type) {
	case 0:
	case 1:
		add("type", n.Type[0], true)
	default:
		add("type", n.Type, true)
	}
	add("enum", n.Enum, len(n.Enum) > 0)
	add("pattern", n.Pattern, n.Pattern != "")
	add("minimum", n.Minimum, n.Minimum != nil)
	add("maximum", n.Maximum, n.Maximum != nil)
	add("minLength", n.MinLength, n.MinLength != nil)
	add("maxLength", n.MaxLength, n.MaxLength != nil)
	add("default", n.Default, n.Default != nil)
	add("items", n.Items, n.Items != nil)
	if len(n.Properties) > 0 {
		var properties ordered
		for _, p := range n.Properties {
			properties = append(properties, pair{p.Name, p.Node})
		}
		add("properties", properties, true)
	}
	add("required", n.Required, len(n.Required) > 0)
	if n.KeyPattern != "" {
		// Not propertyNames: validators report the place of its errors worse.
		add("patternProperties", ordered{{n.KeyPattern, n.Values}}, true)
		add("additionalProperties", false, true)
		return out
	}
	add("additionalProperties", n.Values, n.Values != nil)
	add("additionalProperties", false, n.Closed)
	return out
}
