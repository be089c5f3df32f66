package engine

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Permission is something that the credentials of an engine must be allowed to
// do. It is plain data, comparable, and prints as one line.
type Permission struct {
	Verb     string `json:"verb"`
	Group    string `json:"group,omitempty"` // empty: the core group
	Resource string `json:"resource"`
	// Namespace is empty for what is in no namespace.
	Namespace string `json:"namespace,omitempty"`
	// Name of the object; empty: any of the resource.
	Name string `json:"name,omitempty"`
	// HooksOnly: it is not needed with ApplyOptions.NoHooks.
	HooksOnly bool `json:"hooksOnly,omitempty"`
}

// String is "patch deployments.apps in namespace shop", with "(for hooks)"
// behind it if it is needed only for these. It leaves the name out: a role
// grants it for the resource.
func (p Permission) String() string {
	s := p.Verb + " " + p.Resource
	if p.Group != "" {
		s += "." + p.Group
	}
	if p.Namespace != "" {
		s += " in namespace " + p.Namespace
	}
	if p.HooksOnly {
		s += " (for hooks)"
	}
	return clean.Line(s)
}

func permissionTo(verb string, t target) Permission {
	return Permission{Verb: verb, Group: t.mapping.Resource.Group, Resource: t.mapping.Resource.Resource, Namespace: t.id.Namespace, Name: t.id.Name}
}

// grantedBy reports whether a rule grants the permission. A rule with resource
// names grants no create: the name is not known when that is decided.
func (p Permission) grantedBy(rule authorizationv1.ResourceRule) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	return has(rule.Verbs, p.Verb) && has(rule.APIGroups, p.Group) && has(rule.Resources, p.Resource) &&
		(len(rule.ResourceNames) == 0 || p.Verb != "create" && slices.Contains(rule.ResourceNames, p.Name))
}

// appendPermissions adds permissions to a list, each once as it prints. One
// that is needed for hooks only is left out if it is needed anyway.
func appendPermissions(list []Permission, more ...Permission) []Permission {
	for _, p := range more {
		needed := slices.ContainsFunc(list, func(have Permission) bool {
			anyway := p
			anyway.HooksOnly = false
			return have.String() == p.String() || have.String() == anyway.String()
		})
		if !needed {
			list = append(list, p)
		}
	}
	return list
}

// has asks about one permission.
func (e *Engine) has(ctx context.Context, p Permission) (bool, error) {
	allowed, err := e.cluster.Allowed(ctx, authorizationv1.ResourceAttributes{
		Verb: p.Verb, Group: p.Group, Resource: p.Resource, Namespace: p.Namespace, Name: p.Name,
	})
	if err != nil {
		return false, fmt.Errorf("ask for the permission to %s: %w", p, err)
	}
	return allowed, nil
}

// rulesIn are the RBAC rules of these credentials in a namespace.
func (e *Engine) rulesIn(ctx context.Context, namespace string) (*cluster.Rules, error) {
	rules, err := e.cluster.Rules(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("ask for the permissions in namespace %s: %w", namespace, err)
	}
	return rules, nil
}
