// Package v1alpha1 is the API apps.fairlead.dev/v1alpha1: Application, a chart
// that the operator keeps deployed.
//
// +kubebuilder:object:generate=true
// +groupName=apps.fairlead.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version of the API.
const (
	Group   = "apps.fairlead.dev"
	Version = "v1alpha1"
)

// AddToScheme adds the types of this package to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	gv := schema.GroupVersion{Group: Group, Version: Version}
	s.AddKnownTypes(gv, &Application{}, &ApplicationList{})
	metav1.AddToGroupVersion(s, gv)
	return nil
}
