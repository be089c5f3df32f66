package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// right is something that these credentials must be allowed to do.
type right struct {
	verb, group, resource, namespace string
	name                             string // of the object; not told
	hook                             bool   // needed only if hooks run
}

func rightTo(verb string, it *item) right {
	return right{verb: verb, group: it.mapping.Resource.Group, resource: it.mapping.Resource.Resource, namespace: it.object.Namespace, name: it.object.Name}
}

// forHooks ends a right that only hooks need.
const forHooks = " (for hooks)"

func (r right) String() string {
	s := r.verb + " " + r.resource
	if r.group != "" {
		s += "." + r.group
	}
	if r.namespace != "" {
		s += " in namespace " + r.namespace
	}
	if r.hook {
		s += forHooks
	}
	return s
}

// needs are the rights that applying the plan takes and that no dry-run has
// shown to be there.
func (pl *planning) needs(p *Plan) []right {
	var out []right
	for _, it := range p.work.items {
		var verbs []string
		switch it.change.Action {
		case diff.Created:
			verbs = []string{"create", "patch"}
		case diff.Updated, diff.Adopted:
			verbs = []string{"patch"}
		case diff.Replaced:
			verbs = []string{"delete", "create", "patch"}
		case diff.Deleted:
			verbs = []string{"delete"}
		}
		for _, verb := range verbs {
			if !it.tried || verb == "delete" {
				out = append(out, rightTo(verb, it))
			}
		}
	}
	if p.work.createNamespace && p.work.ownNamespace() == nil {
		out = append(out, right{verb: "create", resource: "namespaces", name: p.Key.Namespace})
	}
	out = append(out, pl.hookRights...)
	history := []string{"create", "update"}
	if p.Kind == PlanUninstall {
		history = []string{"update", "delete"}
	} else if len(pl.past.stock.Revisions) >= DefaultHistory {
		history = append(history, "delete")
	}
	for _, verb := range history {
		out = append(out, right{verb: verb, resource: "secrets", namespace: p.Key.Namespace})
	}
	return out
}

// needForHook notes what running a hook takes: to create it, and to delete
// the one that an earlier revision left.
func (pl *planning) needForHook(it *item) {
	verbs := []string{"create"}
	if pl.past.installed() {
		verbs = append(verbs, "delete")
	}
	for _, verb := range verbs {
		r := rightTo(verb, it)
		r.hook = true
		pl.hookRights = append(pl.hookRights, r)
	}
}

// missingRights are those of the needs that these credentials lack, all at
// once: by one review of the rules of each namespace, and where that does not
// tell (for what is in no namespace, and for authorizers that cannot list
// their rules) by a review of each right.
func (pl *planning) missingRights(ctx context.Context, needs []right) ([]right, error) {
	byNamespace := map[string][]right{}
	var namespaces []string
	var ask []right // one by one
	for _, n := range needs {
		if n.namespace == "" {
			ask = append(ask, n)
			continue
		}
		if byNamespace[n.namespace] == nil {
			namespaces = append(namespaces, n.namespace)
		}
		byNamespace[n.namespace] = append(byNamespace[n.namespace], n)
	}
	var mu sync.Mutex
	lacking := map[right]bool{}
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, namespace := range namespaces {
		work.do(func(ctx context.Context) error {
			without, sure, err := pl.without(ctx, namespace, byNamespace[namespace])
			mu.Lock()
			defer mu.Unlock()
			for _, n := range without {
				if lacking[n] = sure; !sure {
					ask = append(ask, n)
				}
			}
			return err
		})
	}
	if err := work.wait(); err != nil {
		return nil, err
	}
	// One of each kind answers for the others, but where names are told apart.
	asked := map[right]bool{}
	work = newLimited(ctx, pl.e.opts.Concurrency)
	for _, n := range ask {
		if asked[n] {
			continue
		}
		asked[n] = true
		work.do(func(ctx context.Context) error {
			allowed, err := pl.e.c.allowed(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			lacking[n] = err == nil && !allowed
			return err
		})
	}
	if err := work.wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(needs, func(n right) bool { return !lacking[n] }), nil
}

// without are those of the needs in a namespace that its rules do not give, and
// whether that is sure. An API server that has just started, and superusers of
// whom the rules know nothing, have fewer rules to show than rights; so one of
// what seems to be lacking is asked for by itself.
func (pl *planning) without(ctx context.Context, namespace string, needs []right) (lacking []right, sure bool, err error) {
	granted, err := pl.granted(ctx, namespace)
	if err != nil {
		return nil, false, err
	}
	for _, n := range needs {
		if !slices.ContainsFunc(granted.list, n.allowedBy) {
			lacking = append(lacking, n)
		}
	}
	if len(lacking) == 0 || !granted.complete {
		return lacking, false, nil
	}
	allowed, err := pl.e.c.allowed(ctx, lacking[0])
	return lacking, !allowed, err
}

// allowedBy says whether a rule gives the right. Rules with names give no
// right to create: the name is not known yet when that is decided.
func (r right) allowedBy(rule authorizationv1.ResourceRule) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	return has(rule.Verbs, r.verb) && has(rule.APIGroups, r.group) && has(rule.Resources, r.resource) &&
		(len(rule.ResourceNames) == 0 || r.verb != "create" && slices.Contains(rule.ResourceNames, r.name))
}

// rules are what these credentials may do in a namespace, and whether that is
// all.
type rules struct {
	list     []authorizationv1.ResourceRule
	complete bool
}

// foreseeRights asks early for the rules that will be looked into, if that is
// certain.
func (pl *planning) foreseeRights(ctx context.Context) error {
	if !pl.certain {
		return nil
	}
	granted, err := pl.granted(ctx, pl.key.Namespace)
	pl.rules = granted
	return err
}

func (pl *planning) granted(ctx context.Context, namespace string) (*rules, error) {
	if namespace == pl.key.Namespace && pl.rules != nil {
		return pl.rules, nil
	}
	granted, err := pl.e.c.rules(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("ask which rights there are in namespace %s: %w", namespace, err)
	}
	return granted, nil
}

// rules asks for them. An API server that does not say so has none to show.
func (c *cluster) rules(ctx context.Context, namespace string) (*rules, error) {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	got, err := c.typed.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return &rules{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &rules{got.Status.ResourceRules, !got.Status.Incomplete}, nil
}

// allowed says whether these credentials have a right. An API server that
// does not say so is not taken to refuse.
func (c *cluster) allowed(ctx context.Context, r right) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: r.resource, Namespace: r.namespace, Name: r.name,
		},
	}}
	got, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for the right to %s: %w", r, err)
	}
	return got.Status.Allowed, nil
}

// addMissing puts the rights that are missing into the plan, each once.
func (p *Plan) addMissing(rights ...right) {
	for _, r := range rights {
		s := r.String()
		if r.hook && slices.Contains(p.Missing, strings.TrimSuffix(s, forHooks)) {
			continue
		}
		p.Missing = appendNew(p.Missing, s)
	}
}
