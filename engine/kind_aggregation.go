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

// aggregationManager is the field manager of the controller that collects the
// rules of aggregated ClusterRoles.
const aggregationManager = "clusterrole-aggregation-controller"

// stopsAggregating reports whether the object is a ClusterRole whose rules the
// controller leaves alone once it is applied.
func (o *object) stopsAggregating() bool {
	aggregates := func(u *unstructured.Unstructured) bool { return u != nil && u.Object["aggregationRule"] != nil }
	return o.id.Group == "rbac.authorization.k8s.io" && o.id.Kind == "ClusterRole" &&
		!aggregates(o.desired) && (aggregates(o.base) || !aggregates(o.live))
}
