package engine

import (
	"context"
	"slices"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"

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
	if p.work.namespace.created() && p.work.ownNamespace() == nil {
		out = append(out, Permission{Verb: "create", Resource: "namespaces", Name: p.Key.Namespace})
	}
	out = append(out, p.work.hookPermissions...)
	if at := b.e.opts.Storage; !at.elsewhere() {
		for _, verb := range recordVerbs(p) {
			out = append(out, Permission{Verb: verb, Resource: at.resource(), Namespace: at.namespaceOf(p.Key)})
		}
	}
	return out
}

// recordVerbs are the verbs on revisions that recording the outcome takes.
func recordVerbs(p *Plan) []string {
	switch {
	case p.Kind == PlanUninstall:
		return []string{"update", "delete"}
	case len(p.work.history.inventory.Revisions) >= DefaultHistory:
		return []string{"create", "update", "delete"}
	}
	return []string{"create", "update"}
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
	if rules == nil && b.asking.purpose != forReview && b.e.cluster.RecentlyGranted(namespace, func(rules []authorizationv1.ResourceRule) bool {
		return !slices.ContainsFunc(needed, func(n Permission) bool { return !slices.ContainsFunc(rules, n.grantedBy) })
	}) {
		return nil, false, nil
	}
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
