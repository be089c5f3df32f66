// Package definition computes what a change of a CustomResourceDefinition would
// drop from existing custom resources. It is pure: the caller reads them.
package definition

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	openapierrors "k8s.io/kube-openapi/pkg/validation/errors"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// Change is what a new definition removes or restricts.
type Change struct {
	// Lost are the versions in which objects may be stored, by
	// status.storedVersions, and that the new definition no longer has. They can
	// be removed only after a storage migration that also removes them from
	// status.storedVersions.
	Lost []string
	// Versions are those that stay, but whose schema removes or restricts fields.
	Versions []Version
}

// Version is one version whose schema removes or restricts fields.
type Version struct {
	Resource schema.GroupVersionResource
	// Paths are the fields whose schema was removed or has changed other than by
	// additions: candidates, of which [Version.Loses] returns those in use.
	Paths         []string
	before, after *checker
}

// Compare compares a live definition with the one that is to be applied. It
// fails if one of them is not a valid definition, or has a schema that the API
// server would reject.
func Compare(live, after *unstructured.Unstructured) (Change, error) {
	var was, will apiextensionsv1.CustomResourceDefinition
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &was); err != nil {
		return Change{}, fmt.Errorf("decode the live CustomResourceDefinition: %w", err)
	}
	// The new one may come from a chart: its status is ignored.
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{"spec": after.Object["spec"]}, &will); err != nil {
		return Change{}, fmt.Errorf("decode the CustomResourceDefinition: %w", err)
	}
	var c Change
	for _, v := range was.Status.StoredVersions {
		if versionOf(&will, v) == nil {
			c.Lost = append(c.Lost, v)
		}
	}
	for i := range was.Spec.Versions {
		old := &was.Spec.Versions[i]
		next := versionOf(&will, old.Name)
		if next == nil || !old.Served {
			continue
		}
		v, err := compareVersions(old, next)
		if err != nil {
			return Change{}, fmt.Errorf("version %s: %w", old.Name, err)
		}
		if len(v.Paths) > 0 {
			v.Resource = schema.GroupVersionResource{Group: was.Spec.Group, Version: old.Name, Resource: was.Spec.Names.Plural}
			c.Versions = append(c.Versions, v)
		}
	}
	return c, nil
}

func versionOf(crd *apiextensionsv1.CustomResourceDefinition, name string) *apiextensionsv1.CustomResourceDefinitionVersion {
	for i := range crd.Spec.Versions {
		if crd.Spec.Versions[i].Name == name {
			return &crd.Spec.Versions[i]
		}
	}
	return nil
}

func compareVersions(old, next *apiextensionsv1.CustomResourceDefinitionVersion) (v Version, err error) {
	if old.Schema == nil || old.Schema.OpenAPIV3Schema == nil || next.Schema == nil || next.Schema.OpenAPIV3Schema == nil {
		return Version{}, nil // from before schemas were required
	}
	before, err := plain(old.Schema.OpenAPIV3Schema)
	if err != nil {
		return Version{}, err
	}
	after, err := plain(next.Schema.OpenAPIV3Schema)
	if err != nil {
		return Version{}, err
	}
	if v.Paths = narrowed("", before, after); len(v.Paths) == 0 {
		return v, nil
	}
	if v.before, err = newChecker(old.Schema.OpenAPIV3Schema); err != nil {
		return Version{}, err
	}
	v.after, err = newChecker(next.Schema.OpenAPIV3Schema)
	return v, err
}

func plain(s *apiextensionsv1.JSONSchemaProps) (map[string]any, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("decode the schema: %w", err)
	}
	return out, nil
}

// Loses returns the paths that the new schema would prune from an object of the
// version, or find invalid, and the old one does not. CEL rules are not
// evaluated.
func (v Version) Loses(object map[string]any) []string {
	before := v.before.check(object)
	var lost []string
	for _, l := range v.after.check(object) {
		if !slices.Contains(before, l) {
			lost = append(lost, l)
		}
	}
	return lost
}

// checker prunes and validates objects by a schema as the API server does. It
// uses the server's packages one by one: together they would register its
// metrics and traces.
type checker struct {
	structural *structural.Structural
	validator  *validate.SchemaValidator
}

func newChecker(s *apiextensionsv1.JSONSchemaProps) (*checker, error) {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(s, &internal, nil); err != nil {
		return nil, fmt.Errorf("convert the schema: %w", err)
	}
	parsed, err := structural.NewStructural(&internal)
	if err != nil {
		return nil, fmt.Errorf("convert the schema: %w", err)
	}
	return &checker{parsed, validate.NewSchemaValidator(parsed.ToKubeOpenAPI(), nil, "", strfmt.Default)}, nil
}

// check returns the paths that would be pruned, and those that are invalid.
func (c *checker) check(object map[string]any) []string {
	var out []string
	for _, f := range c.faults(object) {
		out = append(out, f.Field)
	}
	return slices.Compact(out)
}

func (c *checker) faults(object map[string]any) []Fault {
	object = runtime.DeepCopyJSON(object)
	delete(object, "status") // its controller writes it again
	var out []Fault
	for _, path := range pruning.PruneWithOptions(object, c.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		out = append(out, Fault{path, path + " is not in the schema", true})
	}
	fill(object, c.structural)
	for _, err := range c.validator.Validate(object).Errors {
		f := Fault{Message: "it is invalid"}
		if invalid := (*openapierrors.Validation)(nil); errors.As(err, &invalid) {
			f.Field = strings.TrimPrefix(invalid.Name, ".")
			f.Message = f.Field + " " + reason(invalid)
		}
		out = append(out, f)
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, c.structural, object) {
		out = append(out, Fault{Field: err.Field, Message: err.Field + " has the same keys as another item of the list"})
	}
	slices.SortFunc(out, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
	return out
}

// reason is what is wrong with a field, without its value.
func reason(e *openapierrors.Validation) string {
	text := e.Error()
	if i := strings.Index(text, " in body "); i >= 0 {
		text = text[i+len(" in body "):]
	}
	if e.Value != nil {
		if value := fmt.Sprint(e.Value); value != "" {
			text, _, _ = strings.Cut(text, ": \""+value)
		}
	}
	return text
}

// fill sets the defaults of missing fields, as the API server does when it reads
// an object.
func fill(x any, s *structural.Structural) {
	switch x := x.(type) {
	case map[string]any:
		for name := range s.Properties {
			p := s.Properties[name]
			if _, set := x[name]; !set && p.Default.Object != nil {
				x[name] = runtime.DeepCopyJSONValue(p.Default.Object)
			}
			fill(x[name], &p)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			for name := range x {
				if _, known := s.Properties[name]; !known {
					fill(x[name], s.AdditionalProperties.Structural)
				}
			}
		}
	case []any:
		if s.Items != nil {
			for i := range x {
				fill(x[i], s.Items)
			}
		}
	}
}
