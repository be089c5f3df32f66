package engine

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/diff"
)

// claimTemplate is one of a StatefulSet's volumeClaimTemplates.
type claimTemplate struct {
	index   int
	name    string
	object  map[string]any
	storage resource.Quantity // zero if it requests none
}

func isStatefulSet(o diff.Object) bool { return o.Group == "apps" && o.Kind == "StatefulSet" }

func claimTemplates(u *unstructured.Unstructured) []claimTemplate {
	if u == nil {
		return nil
	}
	field, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "volumeClaimTemplates")
	list, _ := field.([]any)
	var out []claimTemplate
	for i, entry := range list {
		object, ok := entry.(map[string]any)
		if !ok {
			continue // the API server refuses it
		}
		t := claimTemplate{index: i, object: object}
		t.name, _, _ = unstructured.NestedString(object, "metadata", "name")
		if size, ok, _ := unstructured.NestedFieldNoCopy(object, "spec", "resources", "requests", "storage"); ok {
			t.storage, _ = resource.ParseQuantity(fmt.Sprint(size)) // YAML may hold a number
		}
		out = append(out, t)
	}
	return out
}

func templateNamed(list []claimTemplate, name string) (claimTemplate, bool) {
	i := slices.IndexFunc(list, func(t claimTemplate) bool { return t.name == name })
	if i < 0 {
		return claimTemplate{}, false
	}
	return list[i], true
}

// boundClaim is a claim that a StatefulSet's controller created from a
// template.
type boundClaim struct {
	corev1.PersistentVolumeClaim
	template string
	ordinal  int
	pod      string // that uses it
}

func (c boundClaim) object() diff.Object {
	return diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name}
}

// claimGrowth is one claim that is expanded.
type claimGrowth struct {
	claim   boundClaim
	size    resource.Quantity
	request bool // false: it was requested already, and is only waited for
}

// ordinals are the numbers of a StatefulSet's pods: from, up to but not to.
type ordinals struct{ from, to int }

func (o ordinals) has(n int) bool { return o.from <= n && n < o.to }

func podsOfSet(u *unstructured.Unstructured) ordinals {
	start, replicas := numberAt(u, 0, "spec", "ordinals", "start"), numberAt(u, 1, replicasAt...)
	return ordinals{start, start + replicas}
}

// selectorOf reads spec.selector of a workload.
func selectorOf(u *unstructured.Unstructured) (labels.Selector, error) {
	field, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(field, &selector); err != nil {
		return nil, fmt.Errorf("read its selector: %w", err)
	}
	return metav1.LabelSelectorAsSelector(&selector)
}
