package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fairlead-dev/fairlead/render"
)

// commonMetadata are labels and annotations of all objects of a release. It is a
// post-renderer, so that the history has them too.
type commonMetadata struct{ labels, annotations map[string]string }

// withCommonMetadata returns the manifest with the release's CommonLabels and
// CommonAnnotations on its objects and hooks; m itself is not changed. CRDs of a
// crds/ directory belong to the cluster, and have none.
func withCommonMetadata(ctx context.Context, r Release, m *render.Manifest) (*render.Manifest, error) {
	c := commonMetadata{r.CommonLabels, r.CommonAnnotations}
	if m == nil || len(c.labels) == 0 && len(c.annotations) == 0 {
		return m, nil
	}
	return m.PostRenderedIn(ctx, render.PostRenderHooks, c)
}

// PostRender implements render.PostRenderer.
func (c commonMetadata) PostRender(_ context.Context, objects []render.Object) ([]render.Object, error) {
	out := make([]render.Object, len(objects))
	for i, o := range objects {
		out[i] = c.on(o)
	}
	return out, nil
}

// on returns an object with the labels and annotations. Its text is to be written
// again.
func (c commonMetadata) on(o render.Object) render.Object {
	o.Unstructured = withMetadata(o.Unstructured, func(metadata map[string]any) {
		for member, common := range map[string]map[string]string{"labels": c.labels, "annotations": c.annotations} {
			if len(common) == 0 {
				continue
			}
			values := cloned(metadata[member])
			for name, value := range common {
				values[name] = value
			}
			metadata[member] = values
		}
	})
	o.Text = ""
	return o
}

// validCommonMetadata returns an error for what Kubernetes would refuse, and for
// what says whose an object is, or what is done with it.
func validCommonMetadata(r Release) error {
	if errs := metavalidation.ValidateLabels(r.CommonLabels, field.NewPath("Release.CommonLabels")); len(errs) > 0 {
		return invalid("Release.CommonLabels", "are not accepted: %v", errs[0])
	}
	if errs := apivalidation.ValidateAnnotations(r.CommonAnnotations, field.NewPath("Release.CommonAnnotations")); len(errs) > 0 {
		return invalid("Release.CommonAnnotations", "are not accepted: %v", errs[0])
	}
	for name, common := range map[string]map[string]string{"Release.CommonLabels": r.CommonLabels, "Release.CommonAnnotations": r.CommonAnnotations} {
		for _, key := range slices.Sorted(maps.Keys(common)) {
			if isMeaningful(key) {
				return invalid(name, "has %q, which decides whose an object is, or what is done with it", key)
			}
		}
	}
	return nil
}

// isMeaningful reports whether a label or annotation means something to Helm, to
// the engine or to kubectl apply.
func isMeaningful(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	switch domain {
	case "helm.sh", "meta.helm.sh", "fairlead.dev", "applyset.kubernetes.io", "kubectl.kubernetes.io", "config.kubernetes.io":
		return true
	}
	return key == labelManagedBy
}
