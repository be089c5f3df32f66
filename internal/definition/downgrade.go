package definition

import (
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
)

// Downgrades returns what a live definition has and the one that is to be
// applied lacks, whether anything uses it or not: versions, also as served or
// stored ones, fields, and what else serves the kind. The texts are for people,
// and equal for the same loss. It fails if one of them cannot be decoded.
func Downgrades(live, after *unstructured.Unstructured) ([]string, error) {
	was, err := decodeSpec(live)
	if err != nil {
		return nil, fmt.Errorf("decode the live CustomResourceDefinition: %w", err)
	}
	will, err := decodeSpec(after)
	if err != nil {
		return nil, fmt.Errorf("decode the CustomResourceDefinition: %w", err)
	}
	var out []string
	lose := func(lost bool, format string, args ...any) {
		if lost {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	for i := range was.Spec.Versions {
		old := &was.Spec.Versions[i]
		next := versionOf(will, old.Name)
		if next == nil {
			lose(true, "version %s", old.Name)
			continue
		}
		lose(old.Served && !next.Served, "version %s as a served one", old.Name)
		v, err := compareVersions(old, next)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", old.Name, err)
		}
		for _, path := range v.Paths {
			lose(true, "%s in version %s", path, old.Name)
		}
		lose(hasStatus(old) && !hasStatus(next), "the status subresource of version %s", old.Name)
		lose(hasScale(old) && !hasScale(next), "the scale subresource of version %s", old.Name)
		for _, c := range old.AdditionalPrinterColumns {
			lose(!slices.ContainsFunc(next.AdditionalPrinterColumns, func(n apiextensionsv1.CustomResourceColumnDefinition) bool { return n.Name == c.Name }),
				"column %s of version %s", c.Name, old.Name)
		}
	}
	from, to := storageVersion(was), storageVersion(will)
	lose(from != to && to != "" && IsNewer(from, to) && versionOf(will, from) != nil, "version %s as the stored one", from)
	lose(converts(was) && !converts(will), "the conversion webhook")
	return out, nil
}

func decodeSpec(u *unstructured.Unstructured) (*apiextensionsv1.CustomResourceDefinition, error) {
	var out apiextensionsv1.CustomResourceDefinition
	return &out, runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{"spec": u.Object["spec"]}, &out)
}

func hasStatus(v *apiextensionsv1.CustomResourceDefinitionVersion) bool {
	return v.Subresources != nil && v.Subresources.Status != nil
}

func hasScale(v *apiextensionsv1.CustomResourceDefinitionVersion) bool {
	return v.Subresources != nil && v.Subresources.Scale != nil
}

func storageVersion(crd *apiextensionsv1.CustomResourceDefinition) string {
	for _, v := range crd.Spec.Versions {
		if v.Storage {
			return v.Name
		}
	}
	return ""
}

func converts(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return crd.Spec.Conversion != nil && crd.Spec.Conversion.Strategy == apiextensionsv1.WebhookConverter
}

// NewestVersion is the highest version of a definition, by Kubernetes' order: v2
// before v1 before v1beta1. It is empty if there is none.
func NewestVersion(crd *unstructured.Unstructured) string {
	d, err := decodeSpec(crd)
	if err != nil {
		return ""
	}
	newest := ""
	for _, v := range d.Spec.Versions {
		if newest == "" || IsNewer(v.Name, newest) {
			newest = v.Name
		}
	}
	return newest
}

// IsNewer reports whether version a comes before b in Kubernetes' order.
func IsNewer(a, b string) bool { return version.CompareKubeAwareVersionStrings(a, b) > 0 }
