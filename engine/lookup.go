package engine

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/render"
)

// lookup returns the template function of that name, which reads what
// Options.Lookup allows.
func (e *Engine) lookup(k Key) render.LookupFunc {
	allowed := e.opts.Lookup
	if allowed == nil {
		allowed = func(k Key, _ schema.GroupVersionKind, namespace, _ string) bool { return namespace == k.Namespace }
	}
	asOf := time.Now()
	return func(ctx context.Context, apiVersion, kind, namespace, name string) (map[string]any, error) {
		gv, err := schema.ParseGroupVersion(apiVersion)
		if err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		gvk := gv.WithKind(kind)
		m, err := e.cluster.Mapping(ctx, gvk, asOf)
		if meta.IsNoMatchError(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("lookup %s %s: %w", apiVersion, kind, err)
		}
		if !cluster.Namespaced(m) {
			namespace = "" // else a cluster-scoped object would pass as the release's own
		}
		o := diff.Object{Group: gvk.Group, Version: gvk.Version, Kind: kind, Namespace: namespace, Name: name}
		if !allowed(k, gvk, namespace, name) || e.blocked(k, o, nil) != nil {
			return map[string]any{}, nil
		}
		resource := e.cluster.Resource(m, namespace)
		if name == "" {
			list, err := resource.List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("lookup %s %s: %w", apiVersion, kind, err)
			}
			return list.UnstructuredContent(), nil
		}
		u, err := resource.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("lookup %s %s: %w", kind, name, err)
		}
		return u.UnstructuredContent(), nil
	}
}
