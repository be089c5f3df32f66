package engine

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// yieldAggregated leaves the rules of an aggregated ClusterRole to the
// controller that collects them from other roles, as replicas are left to an
// autoscaler.
func (in intended) yieldAggregated() intended {
	if in.id.Group != "rbac.authorization.k8s.io" || in.id.Kind != "ClusterRole" {
		return in
	}
	rule, ok, _ := unstructured.NestedMap(in.body.Object, "aggregationRule")
	if _, sets := in.body.Object["rules"]; !ok || len(rule) == 0 || !sets {
		return in
	}
	in = in.withBodyField(nil, "rules").withNote("rules are left to the controller, because aggregationRule is set")
	if in.base != nil {
		if base, err := withField(in.base, nil, "rules"); err == nil {
			in.base = base
		}
	}
	return in
}
