package engine

import (
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// Rules are the rights that carrying out the plan, and waiting for it, takes:
// by namespace, "" for what needs a ClusterRole. They are made for one plan; a
// Role for a pipeline wants those of its next plans too, which docs/rights.md
// lists by mode. A plan that was read from JSON does not know its resources and
// has no Rules.
func Rules(p *Plan) (map[string][]rbacv1.PolicyRule, error) {
	if p == nil || p.work == nil {
		return nil, &Error{Op: "rules", Hint: "plan again", Err: errors.New("the plan was read from JSON and does not know its resources")}
	}
	verbs := map[string]map[[2]string][]string{} // by namespace, then group and resource
	add := func(namespace, group, resource string, more ...string) {
		if verbs[namespace] == nil {
			verbs[namespace] = map[[2]string][]string{}
		}
		of := [2]string{group, resource}
		for _, v := range more {
			verbs[namespace][of] = appendNew(verbs[namespace][of], v)
		}
	}
	home := p.Key.Namespace
	add(home, "", "secrets", "get", "list", "create", "update", "delete")
	add(home, "coordination.k8s.io", "leases", "get", "create", "update", "delete")
	for _, it := range p.work.items {
		if it.change.Action == "" {
			continue
		}
		namespace, group, resource := it.object.Namespace, it.mapping.Resource.Group, it.mapping.Resource.Resource
		add(namespace, group, resource, "get", "list", "watch")
		switch it.change.Action {
		case diff.Created:
			add(namespace, group, resource, "create", "patch")
		case diff.Updated, diff.Adopted:
			add(namespace, group, resource, "patch")
		case diff.Replaced:
			add(namespace, group, resource, "create", "patch", "delete")
		case diff.Deleted:
			add(namespace, group, resource, "delete")
		}
		if group == "apps" || group == "batch" {
			add(namespace, "", "pods", "get", "list", "watch")
			add(namespace, "", "pods/log", "get")
			add(namespace, "", "events", "list")
			add(namespace, "", "persistentvolumeclaims", "get", "list", "watch", "patch")
			add(namespace, "apps", "replicasets", "get", "list", "watch")
			add(namespace, "autoscaling", "horizontalpodautoscalers", "list")
		}
	}
	for _, r := range p.work.hookRights {
		add(r.namespace, r.group, r.resource, "get", "list", "watch", "create", "delete")
	}
	if p.work.createNamespace {
		add("", "", "namespaces", "get", "create")
	}
	out := map[string][]rbacv1.PolicyRule{}
	for namespace, of := range verbs {
		for key, list := range of {
			slices.Sort(list)
			out[namespace] = append(out[namespace], rbacv1.PolicyRule{APIGroups: []string{key[0]}, Resources: []string{key[1]}, Verbs: list})
		}
		slices.SortFunc(out[namespace], func(a, b rbacv1.PolicyRule) int {
			return strings.Compare(a.APIGroups[0]+"/"+a.Resources[0], b.APIGroups[0]+"/"+b.Resources[0])
		})
	}
	return out, nil
}
