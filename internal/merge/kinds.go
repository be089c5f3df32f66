package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairlead-dev/fairlead/internal/jsonstream"
)

// kinds are the schemas of a group version. Each stays unparsed until an object
// that needs it is converted: parsed it takes many times as much memory, and one
// release has few of the kinds of a group version.
type kinds struct {
	texts map[string]json.RawMessage // by name
	names map[schema.GroupVersionKind]string

	managedfields.TypeConverter // for objects that are typed already

	mu     sync.Mutex
	byKind map[schema.GroupVersionKind]managedfields.TypeConverter
	nulls  map[schema.GroupVersionKind]*Nullable
}

func readKinds(r io.Reader) (*kinds, error) {
	k := &kinds{
		texts: map[string]json.RawMessage{}, names: map[schema.GroupVersionKind]string{},
		TypeConverter: managedfields.NewDeducedTypeConverter(), byKind: map[schema.GroupVersionKind]managedfields.TypeConverter{},
		nulls: map[schema.GroupVersionKind]*Nullable{},
	}
	d := jsonstream.NewReader(r)
	var text []byte
	err := d.Object(func(member string) error {
		if member != "components" { // such as paths: most of a document
			return d.Skip()
		}
		return d.Object(func(member string) error {
			if member != "schemas" {
				return d.Skip()
			}
			return d.Object(func(name string) (err error) {
				if text, err = d.Raw(text[:0]); err != nil {
					return err
				}
				return k.add(name, bytes.Clone(text))
			})
		})
	})
	return k, err
}

// objectMeta is the name of the schema of metadata.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// with is a kind by the schema of its definition, as the server publishes it: with
// apiVersion, kind and metadata, whose schema k has. k is nil if there is none.
func (k *kinds) with(gvk schema.GroupVersionKind, openAPI map[string]any) (*kinds, error) {
	properties := map[string]any{}
	if own, ok := openAPI["properties"].(map[string]any); ok {
		maps.Copy(properties, own)
	}
	properties["apiVersion"], properties["kind"] = map[string]any{"type": "string"}, map[string]any{"type": "string"}
	properties["metadata"] = map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	out := &kinds{
		texts: map[string]json.RawMessage{}, names: map[schema.GroupVersionKind]string{gvk: gvk.String()},
		TypeConverter: managedfields.NewDeducedTypeConverter(), byKind: map[schema.GroupVersionKind]managedfields.TypeConverter{},
		nulls: map[schema.GroupVersionKind]*Nullable{},
	}
	if k != nil && k.texts[objectMeta] != nil {
		maps.Copy(out.texts, k.texts)
		properties["metadata"] = map[string]any{"$ref": "#/components/schemas/" + objectMeta}
	}
	whole := maps.Clone(openAPI)
	whole["properties"] = properties
	whole[gvkExtension] = []any{map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}}
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("the schema of %s by its definition: %w", gvk, err)
	}
	out.texts[gvk.String()] = text
	return out, nil
}

func (k *kinds) add(name string, text []byte) error {
	var kinds []struct{ Group, Version, Kind string }
	if bytes.Contains(text, []byte(gvkExtension)) {
		d := jsonstream.Of(text)
		if err := d.Object(func(member string) error {
			if member != gvkExtension {
				return d.Skip()
			}
			return d.Decode(&kinds)
		}); err != nil {
			return fmt.Errorf("schema %s: %w", name, err)
		}
	}
	k.texts[name] = text
	for _, kind := range kinds {
		k.names[schema.GroupVersionKind(kind)] = name
	}
	return nil
}

// gvkExtension are the kinds that a schema is of.
const gvkExtension = "x-kubernetes-group-version-kind"

// ObjectToTyped implements managedfields.TypeConverter.
func (k *kinds) ObjectToTyped(o runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	c, err := k.of(o.GetObjectKind().GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return c.ObjectToTyped(o, opts...)
}

// of returns the converter of one kind. For a kind without a schema it is one
// that returns an error.
func (k *kinds) of(kind schema.GroupVersionKind) (managedfields.TypeConverter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.byKind[kind]; c != nil {
		return c, nil
	}
	parsed := map[string]*spec.Schema{}
	if name, ok := k.names[kind]; ok {
		if err := k.parse(name, parsed); err != nil {
			return nil, err
		}
	}
	c, err := managedfields.NewTypeConverter(parsed, false)
	if err != nil {
		return nil, fmt.Errorf("parse the schema of %s: %w", kind, err)
	}
	k.byKind[kind] = c
	return c, nil
}

// nullable is where null is a value in objects of a kind; nil: nowhere. It is
// parsed once, and most schemas say nothing of it.
func (k *kinds) nullable(kind schema.GroupVersionKind) *Nullable {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := k.nulls[kind]; ok {
		return n
	}
	var n *Nullable
	if text := k.texts[k.names[kind]]; bytes.Contains(text, []byte(`"nullable"`)) {
		var parsed map[string]any
		if json.Unmarshal(text, &parsed) == nil { // of parses it as well, and reports what is wrong
			n = NullableOf(parsed)
		}
	}
	k.nulls[kind] = n
	return n
}

var reference = regexp.MustCompile(`"#/components/schemas/([^"]+)"`)

// parse parses a schema and those that it refers to.
func (k *kinds) parse(name string, into map[string]*spec.Schema) error {
	text, ok := k.texts[name]
	if _, done := into[name]; done || !ok {
		return nil
	}
	s := &spec.Schema{}
	if err := json.Unmarshal(text, s); err != nil {
		return fmt.Errorf("parse schema %s: %w", name, err)
	}
	into[name] = s
	for _, to := range reference.FindAllSubmatch(text, -1) {
		if err := k.parse(string(to[1]), into); err != nil {
			return err
		}
	}
	return nil
}
