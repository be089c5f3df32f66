package definition

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestValidate(t *testing.T) {
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(`
spec:
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          metadata: {type: object}
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              port: {x-kubernetes-int-or-string: true}
              template: {type: object, properties: {image: {type: string}}}
              loose: {type: object, x-kubernetes-preserve-unknown-fields: true}
              maybe: {type: string, nullable: true}
              parts: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [id], items: {type: object, required: [id], properties: {id: {type: string}}}}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
  - name: v2
`), &crd.Object); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		version, object string
		want            []string // fields
	}{
		"right":                    {"v1", "{metadata: {name: a, labels: {b: c}}, spec: {size: 1, port: http, maybe: null, loose: {a: 1}}}", nil},
		"a number for a port":      {"v1", "{spec: {size: 1, port: 80}}", nil},
		"null for an object":       {"v1", "{spec: {size: 1, template: null}}", []string{"spec.template"}},
		"a string for a number":    {"v1", "{spec: {size: '1'}}", []string{"spec.size"}},
		"too small":                {"v1", "{spec: {size: 0}}", []string{"spec.size"}},
		"an item twice":            {"v1", "{spec: {size: 1, parts: [{id: a}, {id: b}, {id: a}]}}", []string{"spec.parts[2]"}},
		"a member of a set twice":  {"v1", "{spec: {size: 1, tags: [a, a]}}", []string{"spec.tags[1]"}},
		"missing":                  {"v1", "{spec: {}}", []string{"spec.size"}},
		"unknown":                  {"v1", "{spec: {size: 1, sise: 2}}", []string{"spec.sise"}},
		"several, sorted":          {"v1", "{spec: {size: 0, template: {image: 1}}}", []string{"spec.size", "spec.template.image"}},
		"a version with no schema": {"v2", "{anything: goes}", nil},
		"a version there is not":   {"v3", "{anything: goes}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(c.object), &object); err != nil {
				t.Fatal(err)
			}
			faults, err := Validate(crd, c.version, object)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.Field)
			}
			if len(got) != len(c.want) {
				t.Fatalf("faults %v, want %v", faults, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("faults %v, want %v", faults, c.want)
				}
			}
		})
	}
}
