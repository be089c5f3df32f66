package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/render"
)

// lookedUp collects the Secrets that templates have read, whose values may be
// anywhere in what they render.
type lookedUp struct {
	mu      sync.Mutex
	secrets []*unstructured.Unstructured
}

func (l *lookedUp) note(m *meta.RESTMapping, objects ...unstructured.Unstructured) {
	if m.GroupVersionKind.Group != "" || m.GroupVersionKind.Kind != "Secret" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range objects {
		u := objects[i].DeepCopy() // templates can change theirs
		u.SetGroupVersionKind(m.GroupVersionKind)
		l.secrets = append(l.secrets, u)
	}
}

// lookup returns the template function of that name, which reads what
// Options.Lookup allows. It notes the Secrets that it reads.
func (e *Engine) lookup(k Key, seen *lookedUp) render.LookupFunc {
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
			seen.note(m, list.Items...)
			return list.UnstructuredContent(), nil
		}
		u, err := resource.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("lookup %s %s: %w", kind, name, err)
		}
		seen.note(m, *u)
		return u.UnstructuredContent(), nil
	}
}
