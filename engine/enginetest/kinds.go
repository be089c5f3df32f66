package enginetest

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// kind is a kind that is served.
type kind struct {
	schema.GroupVersionKind
	resource   string
	namespaced bool
}

func (k kind) gvr() schema.GroupVersionResource { return k.GroupVersion().WithResource(k.resource) }

var definitions = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// clusterScoped are the built-in kinds whose objects are in no namespace.
var clusterScoped = []string{
	"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
	"DeviceClass", "FlowSchema", "IngressClass", "IPAddress", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume",
	"PriorityClass", "PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass", "ServiceCIDR", "StorageClass", "ValidatingAdmissionPolicy",
	"ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment", "VolumeAttributesClass",
}

// builtIn are the kinds of Kubernetes' stable versions.
func builtIn() []kind {
	object := reflect.TypeFor[metav1.Object]()
	out := []kind{{definitions, "customresourcedefinitions", false}}
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version != "v1" && gvk.Version != "v2" || !reflect.PointerTo(t).Implements(object) {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		out = append(out, kind{gvk, plural.Resource, !slices.Contains(clusterScoped, gvk.Kind)})
	}
	slices.SortFunc(out, func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), -cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// definedBy are the kinds of a CustomResourceDefinition.
func definedBy(crd *unstructured.Unstructured) []kind {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	name, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	scope, _, _ := unstructured.NestedString(crd.Object, "spec", "scope")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	var out []kind
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok && v["served"] == true {
			version, _ := v["name"].(string)
			out = append(out, kind{schema.GroupVersionKind{Group: group, Version: version, Kind: name}, plural, scope == "Namespaced"})
		}
	}
	return out
}

// kinds are those that are served now. The caller holds the lock.
func (c *Cluster) kinds() []kind {
	out := slices.Clone(c.builtIn)
	for _, crd := range c.objects[definitions.GroupKind()] {
		out = append(out, definedBy(crd)...)
	}
	return out
}

// discovery is the response to a path of discovery; nil: it is none.
func (c *Cluster) discovery(path string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch path {
	case "/version":
		return map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
	case "/api":
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}
	case "/apis":
		return c.groups()
	}
	rest, core := strings.CutPrefix(path, "/api/")
	if !core {
		rest, _ = strings.CutPrefix(path, "/apis/")
	}
	gv, err := schema.ParseGroupVersion(rest)
	if err != nil || rest == path || core != (gv.Group == "") {
		return nil
	}
	out := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String()}
	for _, k := range c.kinds() {
		if k.GroupVersion() == gv {
			out.APIResources = append(out.APIResources, metav1.APIResource{
				Name: k.resource, SingularName: strings.ToLower(k.Kind), Namespaced: k.namespaced, Kind: k.Kind,
				Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
			})
		}
	}
	if out.APIResources == nil {
		return nil
	}
	return out
}

func (c *Cluster) groups() metav1.APIGroupList {
	out := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, k := range c.kinds() {
		if k.Group == "" {
			continue
		}
		v := metav1.GroupVersionForDiscovery{GroupVersion: k.GroupVersion().String(), Version: k.Version}
		i := slices.IndexFunc(out.Groups, func(g metav1.APIGroup) bool { return g.Name == k.Group })
		if i < 0 {
			out.Groups = append(out.Groups, metav1.APIGroup{Name: k.Group, PreferredVersion: v, Versions: []metav1.GroupVersionForDiscovery{v}})
		} else if !slices.Contains(out.Groups[i].Versions, v) {
			out.Groups[i].Versions = append(out.Groups[i].Versions, v)
		}
	}
	return out
}
