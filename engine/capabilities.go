package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// capabilities are what templates see as .Capabilities: the server's version
// and every version and kind that it serves.
func (c *cluster) capabilities(ctx context.Context) (*render.Capabilities, error) {
	c.freshen(ctx)
	v, err := c.serverVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the API server for its version: %w", err)
	}
	groups, lists, err := c.discovery.ServerGroupsAndResourcesWithContext(c.quiet(ctx))
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) { // an aggregated API that is down must not stop everything
		return nil, fmt.Errorf("ask the API server for its kinds: %w", err)
	}
	seen := map[string]bool{}
	for _, g := range groups {
		for _, gv := range g.Versions {
			seen[gv.GroupVersion] = true
		}
	}
	for _, l := range lists {
		for _, r := range l.APIResources {
			seen[l.GroupVersion+"/"+r.Kind] = true
		}
	}
	caps := &render.Capabilities{KubeVersion: render.KubeVersion{Version: v.GitVersion, Major: v.Major, Minor: v.Minor}}
	for name := range seen {
		caps.APIVersions = append(caps.APIVersions, name)
	}
	sort.Strings(caps.APIVersions)
	return caps, nil
}

// serves says whether the API server serves the group version, as far as is
// known: it does not look again.
func (c *cluster) serves(ctx context.Context, gv schema.GroupVersion) (bool, error) {
	groups, err := c.discovery.ServerGroupsWithContext(c.quiet(ctx))
	if err != nil {
		return false, fmt.Errorf("ask the API server for its kinds: %w", err)
	}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			if v.GroupVersion == gv.String() {
				return true, nil
			}
		}
	}
	return false, nil
}

// lookup answers the template function of that name, within what
// Options.Lookup allows.
func (e *Engine) lookup(k Key) render.LookupFunc {
	allowed := e.opts.Lookup
	if allowed == nil {
		allowed = func(k Key, _ schema.GroupVersionKind, namespace, _ string) bool { return namespace == k.Namespace }
	}
	return func(ctx context.Context, apiVersion, kind, namespace, name string) (map[string]any, error) {
		gv, err := schema.ParseGroupVersion(apiVersion)
		if err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		gvk := gv.WithKind(kind)
		m, err := e.c.mapping(ctx, gvk)
		if meta.IsNoMatchError(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("lookup %s %s: %w", apiVersion, kind, err)
		}
		if !namespaced(m) {
			namespace = "" // else a cluster-scoped object would pass as the release's own
		}
		o := diff.Object{Group: gvk.Group, Version: gvk.Version, Kind: kind, Namespace: namespace, Name: name}
		if !allowed(k, gvk, namespace, name) || !e.allowed(k, o) {
			return map[string]any{}, nil
		}
		resource := e.c.resource(m, namespace)
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
