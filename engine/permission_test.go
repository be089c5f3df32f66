package engine

import (
	"reflect"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

func TestPermissionGrantedBy(t *testing.T) {
	patch := Permission{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"}
	create := patch
	create.Verb = "create"
	rule := func(verbs, groups, resources, names []string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{Verbs: verbs, APIGroups: groups, Resources: resources, ResourceNames: names}
	}
	apps, deployments, all := []string{"apps"}, []string{"deployments"}, []string{"*"}
	for name, c := range map[string]struct {
		p    Permission
		rule authorizationv1.ResourceRule
		want bool
	}{
		"exactly":               {patch, rule([]string{"get", "patch"}, apps, deployments, nil), true},
		"everything":            {patch, rule(all, all, all, nil), true},
		"another verb":          {patch, rule([]string{"get"}, apps, deployments, nil), false},
		"another group":         {patch, rule(all, []string{""}, deployments, nil), false},
		"another resource":      {patch, rule(all, apps, []string{"deployments/scale"}, nil), false},
		"by name":               {patch, rule(all, apps, deployments, []string{"api", "web"}), true},
		"another name":          {patch, rule(all, apps, deployments, []string{"api"}), false},
		"create is not by name": {create, rule(all, apps, deployments, []string{"web"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.p.grantedBy(c.rule); got != c.want {
				t.Errorf("granted: %v", got)
			}
		})
	}
}

func TestAppendPermissions(t *testing.T) {
	always := Permission{Verb: "create", Resource: "jobs", Group: "batch", Namespace: "shop", Name: "a"}
	other, hook, alwaysToo := always, always, always
	other.Verb, hook.HooksOnly, alwaysToo.Name = "delete", true, "b"
	for name, c := range map[string]struct{ list, more, want []Permission }{
		"each once":                      {nil, []Permission{always, always, other}, []Permission{always, other}},
		"other names print the same":     {[]Permission{always}, []Permission{alwaysToo}, []Permission{always}},
		"for hooks, if not needed":       {nil, []Permission{hook, hook}, []Permission{hook}},
		"for hooks, but needed anyway":   {[]Permission{always}, []Permission{hook}, []Permission{always}},
		"for hooks, and needed later on": {[]Permission{hook}, []Permission{always}, []Permission{hook, always}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := appendPermissions(c.list, c.more...); !reflect.DeepEqual(got, c.want) {
				t.Errorf("it is %v", got)
			}
		})
	}
	if got, want := hook.String(), "create jobs.batch in namespace shop (for hooks)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
