package storage

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LeaseName is the name of the Lease by which engines of earlier versions lock a
// release, in its namespace.
func LeaseName(release string) string { return leasePrefix + release }

const (
	leasePrefix    = "fairlead-"
	revisionPrefix = "sh.helm.release.v1."
)

// Reserved reports whether an object is one in which releases are kept: a Secret
// of a revision or of a part of one, also under the name of one alone, what
// Helm's other driver keeps, or the Lease of a release. A chart that brings such
// objects forges the history of a release, or holds its lock.
func Reserved(u *unstructured.Unstructured) bool {
	named := func(prefix string) bool {
		return strings.HasPrefix(u.GetName(), prefix) || strings.HasPrefix(u.GetGenerateName(), prefix)
	}
	switch gk := u.GroupVersionKind().GroupKind(); {
	case gk.Group == "" && gk.Kind == "Secret":
		kind, _, _ := unstructured.NestedString(u.Object, "type")
		return kind == secretType || kind == partType || named(revisionPrefix)
	case gk.Group == "" && gk.Kind == "ConfigMap":
		return named(revisionPrefix)
	case gk.Group == "coordination.k8s.io" && gk.Kind == "Lease":
		return named(leasePrefix)
	}
	return false
}
