package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// neededPermissions are those that applying the plan takes and that no dry-run
// has proven.
func (b *builder) neededPermissions(p *Plan) []Permission {
	var out []Permission
	for i, s := range p.work.steps {
		for _, verb := range writeVerbs(s.change.Action) {
			if !b.verdicts[i].proven || verb == "delete" {
				out = append(out, permissionTo(verb, s.object.target))
			}
		}
	}
	if p.work.namespace.missing && p.work.ownNamespace() == nil {
		out = append(out, Permission{Verb: "create", Resource: "namespaces", Name: p.Key.Namespace})
	}
	out = append(out, p.work.hookPermissions...)
	history := []string{"create", "update"}
	if p.Kind == PlanUninstall {
		history = []string{"update", "delete"}
	} else if len(b.history.inventory.Revisions) >= DefaultHistory {
		history = append(history, "delete")
	}
	for _, verb := range history {
		out = append(out, Permission{Verb: verb, Resource: "secrets", Namespace: p.Key.Namespace})
	}
	return out
}

// writeVerbs are the verbs that an action takes.
func writeVerbs(a diff.Action) []string {
	switch a {
	case diff.Created:
		return []string{"create", "patch"}
	case diff.Updated, diff.Adopted:
		return []string{"patch"}
	case diff.Replaced:
		return []string{"delete", "create", "patch"}
	case diff.Deleted:
		return []string{"delete"}
	}
	return nil
}

// missingPermissions are those of the needed ones that these credentials lack,
// all at once: by one review of the rules of each namespace, and where that does
// not decide (for what is in no namespace, and for authorizers that cannot list
// their rules) by a review of each permission.
func (b *builder) missingPermissions(ctx context.Context, needed []Permission) ([]Permission, error) {
	byNamespace := map[string][]Permission{}
	var namespaces []string
	var single []Permission // to be asked for one by one
	for _, n := range needed {
		if n.Namespace == "" {
			single = append(single, n)
			continue
		}
		if byNamespace[n.Namespace] == nil {
			namespaces = append(namespaces, n.Namespace)
		}
		byNamespace[n.Namespace] = append(byNamespace[n.Namespace], n)
	}
	var mu sync.Mutex
	lacking := map[Permission]bool{}
	work := parallel.New(ctx, b.e.opts.Concurrency)
	for _, namespace := range namespaces {
		work.Do(func(ctx context.Context) error {
			without, sure, err := b.notGranted(ctx, namespace, byNamespace[namespace])
			mu.Lock()
			defer mu.Unlock()
			for _, n := range without {
				if lacking[n] = sure; !sure {
					single = append(single, n)
				}
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	asked := map[Permission]bool{}
	work = parallel.New(ctx, b.e.opts.Concurrency)
	for _, n := range single {
		if asked[n] {
			continue
		}
		asked[n] = true
		work.Do(func(ctx context.Context) error {
			allowed, err := b.e.has(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			lacking[n] = err == nil && !allowed
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(needed, func(n Permission) bool { return !lacking[n] }), nil
}

// notGranted are the permissions in a namespace that its rules do not grant, and
// whether that is sure. An API server that has just started, and superusers that
// no rule mentions, list fewer rules than they grant; so one of what seems to be
// lacking is asked for by itself.
func (b *builder) notGranted(ctx context.Context, namespace string, needed []Permission) (lacking []Permission, sure bool, err error) {
	rules := b.rules
	if namespace != b.key.Namespace || rules == nil {
		if rules, err = b.e.rulesIn(ctx, namespace); err != nil {
			return nil, false, err
		}
	}
	for _, n := range needed {
		if !slices.ContainsFunc(rules.List, n.grantedBy) {
			lacking = append(lacking, n)
		}
	}
	if len(lacking) == 0 || !rules.Complete {
		return lacking, false, nil
	}
	allowed, err := b.e.has(ctx, lacking[0])
	return lacking, !allowed, err
}

// PolicyRules are the RBAC rules that applying the plan, and waiting for it,
// takes: by namespace, "" for what needs a ClusterRole. They are made for one
// plan; a Role for a pipeline needs those of its next plans too, which
// docs/permissions.md lists by mode. A plan that was read from JSON does not know
// its resources: PolicyRules fails.
func (p *Plan) PolicyRules() (map[string][]rbacv1.PolicyRule, error) {
	if p == nil || p.work == nil {
		return nil, &Error{Op: "list policy rules", Hint: "plan again", Err: errors.New("the plan was read from JSON and does not know its resources")}
	}
	rules := ruleSet{}
	home := p.Key.Namespace
	rules.add(home, "", "secrets", "get", "list", "create", "update", "delete")
	rules.add(home, "coordination.k8s.io", "leases", "get", "create", "update", "delete")
	for _, s := range p.work.steps {
		if !s.named() {
			continue
		}
		namespace, group, resource := s.object.id.Namespace, s.object.mapping.Resource.Group, s.object.mapping.Resource.Resource
		rules.add(namespace, group, resource, "get", "list", "watch")
		rules.add(namespace, group, resource, writeVerbs(s.change.Action)...)
		if group == "apps" || group == "batch" {
			rules.addDiagnosis(namespace)
		}
	}
	for _, h := range p.work.hookPermissions {
		rules.add(h.Namespace, h.Group, h.Resource, "get", "list", "watch", "create", "delete")
	}
	if p.work.namespace.missing {
		rules.add("", "", "namespaces", "get", "create")
	}
	return rules.byNamespace(), nil
}

// ruleSet is verbs by namespace, and then by group and resource.
type ruleSet map[string]map[[2]string][]string

func (r ruleSet) add(namespace, group, resource string, verbs ...string) {
	if len(verbs) == 0 {
		return
	}
	if r[namespace] == nil {
		r[namespace] = map[[2]string][]string{}
	}
	of := [2]string{group, resource}
	for _, v := range verbs {
		r[namespace][of] = appendNew(r[namespace][of], v)
	}
}

// addDiagnosis adds what waiting for workloads reads.
func (r ruleSet) addDiagnosis(namespace string) {
	r.add(namespace, "", "pods", "get", "list", "watch")
	r.add(namespace, "", "pods/log", "get")
	r.add(namespace, "", "events", "list")
	r.add(namespace, "", "persistentvolumeclaims", "get", "list", "watch", "patch")
	r.add(namespace, "apps", "replicasets", "get", "list", "watch")
	r.add(namespace, "autoscaling", "horizontalpodautoscalers", "list")
}

func (r ruleSet) byNamespace() map[string][]rbacv1.PolicyRule {
	out := map[string][]rbacv1.PolicyRule{}
	for namespace, of := range r {
		for key, verbs := range of {
			slices.Sort(verbs)
			out[namespace] = append(out[namespace], rbacv1.PolicyRule{APIGroups: []string{key[0]}, Resources: []string{key[1]}, Verbs: verbs})
		}
		slices.SortFunc(out[namespace], func(a, b rbacv1.PolicyRule) int {
			return strings.Compare(a.APIGroups[0]+"/"+a.Resources[0], b.APIGroups[0]+"/"+b.Resources[0])
		})
	}
	return out
}
