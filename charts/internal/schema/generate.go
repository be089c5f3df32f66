// Package schema makes the JSON Schema of a chart's values, and the table of its README, from the Go struct that
// types them: field names and types from the struct, descriptions from its comments, bounds from its schema tags, and
// defaults from values.yaml. The charts' tests compare the outcome with the files; only they use this package.
package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Schema is the schema of one chart's values.
type Schema struct {
	Title       string
	Root        *Node
	Definitions map[string]*Node // Kubernetes' own types, by name
}

// Generate makes the schema of t, a struct. Docs are the comments of its package, defaults the chart's values.
func Generate(title string, t reflect.Type, docs Docs, defaults map[string]any) (*Schema, error) {
	g := generator{own: t.PkgPath(), docs: docs, definitions: map[string]*Node{}}
	root := g.node(t)
	if g.err != nil {
		return nil, g.err
	}
	if err := setDefaults(root, defaults, ""); err != nil {
		return nil, err
	}
	return &Schema{Title: title, Root: root, Definitions: g.definitions}, nil
}

// JSON is the schema as values.schema.json holds it.
func (s *Schema) JSON() ([]byte, error) {
	var definitions ordered
	names := make([]string, 0, len(s.Definitions))
	for name := range s.Definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		definitions = append(definitions, pair{name, s.Definitions[name]})
	}
	head := ordered{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", s.Title}}
	all := append(head, s.Root.pairs()...)
	all = append(all, pair{"definitions", definitions})
	compact, err := marshal(all)
	if err != nil {
		return nil, err
	}
	return layOut(compact)
}

type generator struct {
	own         string // import path of the package that owns the values
	docs        Docs
	definitions map[string]*Node
	err         error
}

func (g *generator) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

// The types that have a form of their own in JSON.
var special = map[reflect.Type]Node{
	reflect.TypeFor[intstr.IntOrString](): {Type: []string{"integer", "string"}},
	reflect.TypeFor[resource.Quantity]():  {Type: []string{"string", "number"}, Pattern: `^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$`},
	reflect.TypeFor[metav1.Time]():        {Type: []string{"string"}},
	reflect.TypeFor[metav1.MicroTime]():   {Type: []string{"string"}},
	reflect.TypeFor[metav1.FieldsV1]():    {Type: []string{"object"}},
	reflect.TypeFor[[]byte]():             {Type: []string{"string"}},
}

func (g *generator) node(t reflect.Type) *Node {
	if n, ok := special[t]; ok {
		return &n
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.node(t.Elem())
	case reflect.Bool:
		return &Node{Type: []string{"boolean"}}
	case reflect.String:
		return &Node{Type: []string{"string"}}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &Node{Type: []string{"integer"}}
	case reflect.Slice:
		return &Node{Type: []string{"array"}, Items: g.node(t.Elem())}
	case reflect.Map:
		return &Node{Type: []string{"object"}, Values: g.node(t.Elem())}
	case reflect.Interface:
		return &Node{}
	case reflect.Struct:
		if t.PkgPath() == g.own {
			return g.object(t)
		}
		return g.reference(t)
	default:
		g.fail("schema: %s has no form in JSON Schema", t)
		return &Node{}
	}
}

// reference is a type of Kubernetes', defined once.
func (g *generator) reference(t reflect.Type) *Node {
	name := t.Name()
	if _, ok := g.definitions[name]; !ok {
		g.definitions[name] = nil // a type may hold itself
		n := g.object(t)
		path := strings.TrimPrefix(strings.TrimPrefix(t.PkgPath(), "k8s.io/api/"), "k8s.io/apimachinery/pkg/apis/")
		n.Description = fmt.Sprintf("Kubernetes' %s, of %s", name, path)
		g.definitions[name] = n
	}
	return &Node{Ref: name}
}

// Ports of probes are required by Kubernetes; the charts fill them in.
var filledIn = map[string]bool{"HTTPGetAction.port": true, "TCPSocketAction.port": true, "GRPCAction.port": true}

func (g *generator) object(t reflect.Type) *Node {
	n := &Node{Type: []string{"object"}, Closed: true}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" {
			continue
		}
		if field.Anonymous && name == "" {
			inline := g.object(field.Type)
			n.Properties = append(n.Properties, inline.Properties...)
			n.Required = append(n.Required, inline.Required...)
			continue
		}
		p := g.node(field.Type)
		if t.PkgPath() == g.own {
			p.Description = g.docs[t.Name()+"."+field.Name]
			if p.Description == "" {
				g.fail("schema: %s.%s has no comment", t.Name(), field.Name)
			}
		}
		if err := applyTag(p, field.Tag.Get("schema")); err != nil {
			g.fail("schema: %s.%s: %w", t.Name(), field.Name, err)
		}
		n.Properties = append(n.Properties, Property{name, p})
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") ||
			field.Type.Kind() == reflect.Pointer || filledIn[t.Name()+"."+name]
		if !optional {
			n.Required = append(n.Required, name)
		}
	}
	return n
}

var tagKey = regexp.MustCompile(`(?:^|,)(enum|pattern|itemPattern|keyPattern|minimum|maximum|minLength|maxLength)=`)

// applyTag reads bounds, as minimum=1,maximum=65535 or enum=A|B. On a list they are its items'.
func applyTag(n *Node, tag string) error {
	if tag == "" {
		return nil
	}
	at := tagKey.FindAllStringSubmatchIndex(tag, -1)
	if len(at) == 0 || at[0][0] != 0 {
		return fmt.Errorf("tag %q says nothing known", tag)
	}
	for i, m := range at {
		end := len(tag)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		key, value := tag[m[2]:m[3]], tag[m[1]:end]
		to := n
		if n.Items != nil {
			to = n.Items
		}
		switch key {
		case "enum":
			to.Enum = strings.Split(value, "|")
		case "pattern", "itemPattern":
			to.Pattern = value
		case "keyPattern":
			n.KeyPattern = value
		default:
			number, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return err
			}
			*map[string]**int64{"minimum": &to.Minimum, "maximum": &to.Maximum, "minLength": &to.MinLength, "maxLength": &to.MaxLength}[key] = &number
		}
	}
	return nil
}

// setDefaults writes the values of values.yaml beside what they are the default of. A value that the struct does not
// know is an error.
func setDefaults(n *Node, values map[string]any, path string) error {
	for key, value := range values {
		p := n.Property(key)
		if p == nil {
			return fmt.Errorf("schema: values.yaml has %s%s, the struct has not", path, key)
		}
		inner, isMap := value.(map[string]any)
		if isMap && len(p.Properties) > 0 {
			if err := setDefaults(p, inner, path+key+"."); err != nil {
				return err
			}
			continue
		}
		p.Default = value
	}
	return nil
}

// layOut indents JSON, with everything that fits on one line on one line.
func layOut(compact []byte) ([]byte, error) {
	var out strings.Builder
	var write func(raw json.RawMessage, indent string, room int) error
	write = func(raw json.RawMessage, indent string, room int) error {
		if len(raw) <= room || raw[0] != '{' && raw[0] != '[' {
			out.Write(raw)
			return nil
		}
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		if _, err := decoder.Token(); err != nil {
			return err
		}
		out.WriteByte(raw[0])
		for first := true; decoder.More(); first = false {
			if !first {
				out.WriteByte(',')
			}
			out.WriteString("\n" + indent + "  ")
			left := 120 - len(indent)
			if raw[0] == '{' {
				key, err := decoder.Token()
				if err != nil {
					return err
				}
				fmt.Fprintf(&out, "%q: ", key)
				left -= len(key.(string)) + 4
			}
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				return err
			}
			if err := write(value, indent+"  ", left); err != nil {
				return err
			}
		}
		out.WriteString("\n" + indent)
		out.WriteByte(raw[len(raw)-1])
		return nil
	}
	if err := write(compact, "", 0); err != nil {
		return nil, err
	}
	return []byte(out.String() + "\n"), nil
}
