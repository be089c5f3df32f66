package definition

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func definitionOf(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	text := `{spec: {group: example.com, scope: Namespaced, names: {plural: gadgets, kind: Gadget}, versions: [
{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: ` + spec + `}}}}]}, status: {storedVersions: [v0, v1]}}`
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		before, after, object string
		paths, lost           []string
	}{
		"added field":       {"{type: object, properties: {a: {type: string}}}", "{type: object, properties: {a: {type: string}, b: {type: string}}}", "{a: x}", nil, nil},
		"description":       {"{type: object, description: x}", "{type: object, description: other}", "{}", nil, nil},
		"removed field":     {"{type: object, properties: {a: {type: string}}}", "{type: object}", "{a: x}", []string{"spec.a"}, []string{"spec.a"}},
		"not set":           {"{type: object, properties: {a: {type: string}}}", "{type: object}", "{}", []string{"spec.a"}, nil},
		"changed type":      {"{type: object, properties: {a: {type: string}}}", "{type: object, properties: {a: {type: integer}}}", "{a: x}", []string{"spec.a"}, []string{"spec.a"}},
		"longer enum":       {"{type: string, enum: [a]}", "{type: string, enum: [a, b]}", "a", nil, nil},
		"shorter enum":      {"{type: string, enum: [a, b]}", "{type: string, enum: [a]}", "b", []string{"spec"}, []string{"spec"}},
		"new maximum":       {"{type: integer}", "{type: integer, maximum: 3}", "4", []string{"spec"}, []string{"spec"}},
		"higher maximum":    {"{type: integer, maximum: 3}", "{type: integer, maximum: 5}", "3", []string{"spec"}, nil},
		"required":          {"{type: object, properties: {a: {type: string}}}", "{type: object, required: [a], properties: {a: {type: string}}}", "{}", []string{"spec"}, []string{"spec.a"}},
		"required, default": {"{type: object, properties: {a: {type: string}}}", "{type: object, required: [a], properties: {a: {type: string, default: x}}}", "{}", []string{"spec"}, nil},
		"in a list":         {"{type: array, items: {type: object, properties: {a: {type: string}}}}", "{type: array, items: {type: object}}", "[{}, {a: x}]", []string{"spec[].a"}, []string{"spec[1].a"}},
		"invalid before":    {"{type: integer, maximum: 3}", "{type: integer, maximum: 2}", "4", []string{"spec"}, nil},
		"no more a maximum": {"{type: integer, maximum: 3}", "{type: integer}", "3", nil, nil},
		"opened":            {"{type: object}", "{type: object, x-kubernetes-preserve-unknown-fields: true}", "{}", nil, nil},
		"nullable":          {"{type: string}", "{type: string, nullable: true}", "a", nil, nil},
		"unknown fields":    {"{type: object, x-kubernetes-preserve-unknown-fields: true}", "{type: object}", "{a: x}", []string{"spec"}, []string{"spec.a"}},
	} {
		t.Run(name, func(t *testing.T) {
			change, err := Compare(definitionOf(t, c.before), definitionOf(t, c.after))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(change.Lost, []string{"v0"}) {
				t.Errorf("lost versions %v, want v0", change.Lost)
			}
			var paths, lost []string
			for _, v := range change.Versions {
				paths = append(paths, v.Paths...)
				var object map[string]any
				if err := yaml.Unmarshal([]byte("{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}, spec: "+c.object+"}"), &object); err != nil {
					t.Fatal(err)
				}
				lost = append(lost, v.Loses(object)...)
			}
			if !slices.Equal(paths, c.paths) || !slices.Equal(lost, c.lost) {
				t.Errorf("narrowed at %v, want %v; lost %v, want %v", paths, c.paths, lost, c.lost)
			}
		})
	}
}
