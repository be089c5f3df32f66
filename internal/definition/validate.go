package definition

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Fault is one thing that is wrong with a custom resource.
type Fault struct {
	Field string // such as spec.template
	// Message names the field, and not its value, which may be secret.
	Message string
	// Unknown is set if the schema does not have the field.
	Unknown bool
}

// Validate checks a custom resource by the schema that a definition has for a
// version: types, bounds, required and unknown fields, but no CEL rules and no
// status. It returns no faults if the version has no schema, and fails if the
// definition cannot be read. Faults are sorted by field. The arguments are not
// changed.
func Validate(crd *unstructured.Unstructured, version string, object map[string]any) ([]Fault, error) {
	var d apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{"spec": crd.Object["spec"]}, &d); err != nil {
		return nil, fmt.Errorf("decode the CustomResourceDefinition: %w", err)
	}
	v := versionOf(&d, version)
	if v == nil || v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return nil, nil
	}
	c, err := newChecker(v.Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return c.faults(object), nil
}
