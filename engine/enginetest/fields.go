package enginetest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// fieldManager tracks who owns the fields of objects of a kind, as the API server does.
func fieldManager(gvk schema.GroupVersionKind) (*managedfields.FieldManager, error) {
	return managedfields.NewDefaultFieldManager(converter{}, plain{}, plain{}, plain{}, gvk, gvk.GroupVersion(), "", nil)
}

// converter knows the schemas of the built-in kinds; lists of others are atomic.
type converter struct{}

var (
	builtInTypes = applyconfigurations.NewTypeConverter(scheme.Scheme)
	deducedTypes = managedfields.NewDeducedTypeConverter()
)

// typesOf is the converter that knows the kind of an object.
func typesOf(o runtime.Object) managedfields.TypeConverter {
	gvk := o.GetObjectKind().GroupVersionKind()
	if gvk.Group != definitions.Group && scheme.Scheme.Recognizes(gvk) {
		return builtInTypes
	}
	return deducedTypes
}

func (converter) ObjectToTyped(o runtime.Object, opts ...typed.ValidationOptions) (*typed.TypedValue, error) {
	return typesOf(o).ObjectToTyped(o, opts...)
}

func (converter) TypedToObject(v *typed.TypedValue) (runtime.Object, error) {
	return deducedTypes.TypedToObject(v)
}

// plain converts and defaults nothing: objects are of one version.
type plain struct{}

func (plain) Convert(_, _, _ any) error {
	return fmt.Errorf("no conversion")
}

func (plain) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (plain) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func (plain) Default(runtime.Object) {}

func (plain) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u, nil
}
