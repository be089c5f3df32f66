package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"

	"github.com/fairlead-dev/fairlead/render"
)

// DiscoveryAge is how long a Cluster relies on what it read about the served
// kinds. Mapping looks up an unknown kind again; the age matters to templates
// that test whether a kind is served.
const DiscoveryAge = 5 * time.Minute

// UnavailableError is returned for a kind that is not found while the server of
// its API group does not respond: whether the kind exists is not known.
type UnavailableError struct {
	// APIService is the name of the API server's registration of the group.
	APIService string
	Err        error // what discovery reports
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("APIService %s is not available: %v", e.APIService, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Mapping returns the resource of a kind. An unknown kind is looked up once
// more, since it may be new, if what is known was read before asOf; the zero
// time never asks again. The error is a *meta.NoKindMatchError if the kind is
// not served, and an *UnavailableError if that cannot be known.
func (c *Cluster) Mapping(ctx context.Context, gvk schema.GroupVersionKind, asOf time.Time) (*meta.RESTMapping, error) {
	m, err := c.mapper.RESTMappingWithContext(c.Quiet(ctx), gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) && c.forgetBefore(ctx, asOf) {
		m, err = c.mapper.RESTMappingWithContext(c.Quiet(ctx), gvk.GroupKind(), gvk.Version)
	}
	if !meta.IsNoMatchError(err) {
		return m, err
	}
	unavailable, readErr := c.unavailable(ctx, func(gv schema.GroupVersion) bool { return gv.Group == gvk.Group })
	switch {
	case readErr != nil:
		return nil, readErr
	case len(unavailable) > 0:
		return nil, unavailable[0]
	}
	return nil, err
}

// unavailable returns the selected group versions whose server does not respond,
// in order of their names.
func (c *Cluster) unavailable(ctx context.Context, selected func(schema.GroupVersion) bool) ([]*UnavailableError, error) {
	_, _, err := c.discovery.ServerGroupsAndResourcesWithContext(c.Quiet(ctx))
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) {
		return nil, fmt.Errorf("read which kinds the API server serves: %w", err)
	}
	var out []*UnavailableError
	if partial != nil {
		for gv, err := range partial.Groups {
			if selected(gv) {
				out = append(out, &UnavailableError{gv.Version + "." + gv.Group, err})
			}
		}
	}
	slices.SortFunc(out, func(a, b *UnavailableError) int { return strings.Compare(a.APIService, b.APIService) })
	return out, nil
}

// Kind is a kind of objects and the resource that serves it.
type Kind struct {
	Name     string
	Resource schema.GroupVersionResource
}

// NamespacedKinds returns the kinds of objects that a namespace can hold and
// that can be created and listed, each in one version, by fresh discovery.
// unavailable are the group versions that may serve more.
func (c *Cluster) NamespacedKinds(ctx context.Context) (kinds []Kind, unavailable []*UnavailableError, err error) {
	c.ForgetDiscovery(ctx)
	lists, err := c.discovery.ServerPreferredNamespacedResourcesWithContext(c.Quiet(ctx))
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) {
		return nil, nil, fmt.Errorf("read which kinds the API server serves: %w", err)
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, nil, fmt.Errorf("read which kinds the API server serves: %w", err)
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "create") {
				kinds = append(kinds, Kind{r.Kind, gv.WithResource(r.Name)})
			}
		}
	}
	unavailable, err = c.unavailable(ctx, func(schema.GroupVersion) bool { return true })
	return kinds, unavailable, err
}

// ServedVersion returns the resource of a kind in the version that the API
// server prefers; nil if no version is served.
func (c *Cluster) ServedVersion(ctx context.Context, gk schema.GroupKind) (*meta.RESTMapping, error) {
	m, err := c.mapper.RESTMappingWithContext(c.Quiet(ctx), gk)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	return m, err
}

// Known returns the resource of a kind, or nil if it is not served as far as
// cached discovery knows: unlike Mapping it does not look again.
func (c *Cluster) Known(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	served, err := c.Serves(ctx, gvk.GroupVersion())
	if err != nil || !served {
		return nil, err
	}
	return c.Mapping(ctx, gvk, time.Time{})
}

// Serves reports whether the API server serves the group version, by cached
// discovery.
func (c *Cluster) Serves(ctx context.Context, gv schema.GroupVersion) (bool, error) {
	groups, err := c.discovery.ServerGroupsWithContext(c.Quiet(ctx))
	if err != nil {
		return false, fmt.Errorf("read which kinds the API server serves: %w", err)
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

// HasStatus reports whether objects of the resource have a status
// subresource. It returns true if that is not known.
func (c *Cluster) HasStatus(ctx context.Context, r schema.GroupVersionResource) bool {
	list, err := c.discovery.ServerResourcesForGroupVersionWithContext(c.Quiet(ctx), r.GroupVersion().String())
	if err != nil {
		return true
	}
	return slices.ContainsFunc(list.APIResources, func(a metav1.APIResource) bool { return a.Name == r.Resource+"/status" })
}

// Capabilities returns what templates see as .Capabilities: the API server's
// version and every version and kind that it serves.
func (c *Cluster) Capabilities(ctx context.Context) (*render.Capabilities, error) {
	c.forgetOldDiscovery(ctx)
	v, err := c.serverVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's version: %w", err)
	}
	groups, lists, err := c.discovery.ServerGroupsAndResourcesWithContext(c.Quiet(ctx))
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) { // an aggregated API that is down must not stop everything
		return nil, fmt.Errorf("read which kinds the API server serves: %w", err)
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
	slices.Sort(caps.APIVersions)
	return caps, nil
}

// serverVersion is read once, until discovery is forgotten for its age.
func (c *Cluster) serverVersion(ctx context.Context) (*version.Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != nil {
		return c.version, nil
	}
	v, err := c.discovery.ServerVersionWithContext(c.Quiet(ctx))
	if err != nil {
		return nil, err
	}
	c.version = v
	return v, nil
}

// forgetOldDiscovery forgets discovery that is older than DiscoveryAge.
func (c *Cluster) forgetOldDiscovery(ctx context.Context) {
	c.mu.Lock()
	old := time.Since(c.asked) > DiscoveryAge
	c.mu.Unlock()
	if old {
		c.Refresh(ctx)
	}
}

// ForgetDiscovery makes the next lookup of a kind read from the API server.
func (c *Cluster) ForgetDiscovery(ctx context.Context) {
	c.mu.Lock()
	c.forgotten = time.Now()
	c.mu.Unlock()
	c.mapper.ResetWithContext(c.Quiet(ctx))
}

// Refresh forgets the API server's version and what it serves, as Capabilities does
// when they are old.
func (c *Cluster) Refresh(ctx context.Context) {
	c.mu.Lock()
	c.asked, c.version = time.Now(), nil
	c.mu.Unlock()
	c.ForgetDiscovery(ctx)
}

// forgetBefore forgets discovery that may have been read before a point in time,
// and reports whether it did.
func (c *Cluster) forgetBefore(ctx context.Context, asOf time.Time) bool {
	c.mu.Lock()
	old := c.forgotten.Before(asOf)
	c.mu.Unlock()
	if old {
		c.ForgetDiscovery(ctx)
	}
	return old
}

// ForgetSchemas drops the cached schemas of the kinds that a
// CustomResourceDefinition defines.
func (c *Cluster) ForgetSchemas(crd *unstructured.Unstructured) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok {
			name, _ := v["name"].(string)
			c.Merger.Forget(schema.GroupVersion{Group: group, Version: name})
		}
	}
}

// Namespaced reports whether objects of the kind are in a namespace.
func Namespaced(m *meta.RESTMapping) bool { return m.Scope.Name() == meta.RESTScopeNameNamespace }
