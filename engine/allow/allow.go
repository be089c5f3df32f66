// Package allow has rules for [engine.Options.Allow]: what releases may have,
// whatever permissions the engine itself has. A platform that deploys its
// tenants' charts restricts them in a line:
//
//	engine.Options{Allow: allow.Tenant()}
//
// or puts together what it needs:
//
//	engine.Options{Allow: allow.All(engine.OwnNamespace, allow.PodSecurity(allow.Baseline), allow.Hosts("*.shop.example.com"))}
//
// Rules look at objects as the release wants them to be, before anything about
// them is read. What admission changes afterwards they do not see, nor pods that
// a controller of a custom resource makes: where those matter, use Pod Security
// Admission and policies of the cluster as well.
package allow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/engine"
)

// Rule reports why a release may not read or write an object; nil: it may.
type Rule = func(engine.Access) error

// All is a rule that allows what all rules allow. Its error is that of the first
// rule that does not.
func All(rules ...Rule) Rule {
	rules = slices.Clone(rules)
	return func(a engine.Access) error {
		for _, rule := range rules {
			if err := rule(a); err != nil {
				return err
			}
		}
		return nil
	}
}

// Tenant is the rule for releases that are isolated from each other:
// objects of their own namespace alone, pods of the Pod Security level
// Restricted, no RBAC that escalates, no Service with external IPs, and no
// endpoints of its own. It does not restrict what a release may do in its own
// namespace: the ServiceAccounts, Roles and claims there are the tenant's.
func Tenant() Rule {
	return All(engine.OwnNamespace, PodSecurity(Restricted), NoEscalation, NoExternalIPs, NoEndpoints)
}

// NoEscalation blocks RBAC by which the release's own ServiceAccounts, or
// others, would get more than an application needs: ClusterRoles and
// ClusterRoleBindings; rules with "*", or with the verbs bind, escalate and
// impersonate, or that create tokens of ServiceAccounts; Secrets into which such
// a token is written; bindings to a ClusterRole other than view (edit lets its
// holder impersonate every ServiceAccount of the namespace), or of others than
// ServiceAccounts in the release's namespace.
func NoEscalation(a engine.Access) error {
	if a.Desired == nil {
		return nil
	}
	if a.Object.Group == "" && a.Object.Kind == "Secret" {
		if kind, found, err := unstructured.NestedFieldNoCopy(a.Desired.Object, "type"); err != nil || found && kind == string(corev1.SecretTypeServiceAccountToken) {
			return errors.New("a token of a ServiceAccount is written into it")
		}
		return nil
	}
	if a.Object.Group != rbacv1.GroupName {
		return nil
	}
	switch a.Object.Kind {
	case "Role":
		var role rbacv1.Role
		if err := read(a.Desired, &role); err != nil {
			return err
		}
		for i, r := range role.Rules {
			if why := escalates(r); why != "" {
				return fmt.Errorf("rules[%d] grants %s", i, why)
			}
		}
		return nil
	case "RoleBinding":
		var binding rbacv1.RoleBinding
		if err := read(a.Desired, &binding); err != nil {
			return err
		}
		return judgeBinding(binding, a.Key.Namespace)
	}
	return fmt.Errorf("a %s grants permissions beyond the release's namespace", a.Object.Kind)
}

// escalates names what a rule grants that it may not; empty: nothing.
func escalates(r rbacv1.PolicyRule) string {
	for _, v := range r.Verbs {
		switch strings.ToLower(v) {
		case "*", "bind", "escalate", "impersonate":
			return "the verb " + v
		}
	}
	for _, list := range [][]string{r.APIGroups, r.Resources} {
		for _, s := range list {
			if strings.Contains(s, "*") {
				return s + " (all groups or resources)"
			}
			if strings.EqualFold(s, "serviceaccounts/token") {
				return s
			}
		}
	}
	if len(r.NonResourceURLs) > 0 {
		return "URLs that are not resources"
	}
	return ""
}

func judgeBinding(b rbacv1.RoleBinding, namespace string) error {
	if b.RoleRef.Kind != "Role" && b.RoleRef.Name != "view" {
		return fmt.Errorf("roleRef is %s %s; allowed are Roles, and the ClusterRole view", b.RoleRef.Kind, b.RoleRef.Name)
	}
	for i, s := range b.Subjects {
		if s.Kind != rbacv1.ServiceAccountKind || s.Namespace != "" && s.Namespace != namespace {
			return fmt.Errorf("subjects[%d] is %s %s; allowed are ServiceAccounts of the release's namespace", i, s.Kind, s.Name)
		}
	}
	return nil
}

// NoExternalIPs blocks Services with spec.externalIPs, which take over traffic
// to addresses of others.
func NoExternalIPs(a engine.Access) error {
	if a.Desired == nil || a.Object.Group != "" || a.Object.Kind != "Service" {
		return nil
	}
	if ips, found, err := unstructured.NestedFieldNoCopy(a.Desired.Object, "spec", "externalIPs"); err != nil || found && ips != nil && !isEmpty(ips) {
		return errors.New("spec.externalIPs is set")
	}
	return nil
}

// NoEndpoints blocks Endpoints and EndpointSlices that no controller makes: they
// may name pods of other namespaces, to which an ingress controller then sends
// traffic past their network policies.
func NoEndpoints(a engine.Access) error {
	if a.Desired == nil || a.Object.Kind != "Endpoints" && a.Object.Kind != "EndpointSlice" {
		return nil
	}
	if g := a.Object.Group; g == "" || g == "discovery.k8s.io" {
		return errors.New("endpoints may be addresses of others; let a Service select its pods")
	}
	return nil
}

func isEmpty(v any) bool {
	list, ok := v.([]any)
	return ok && len(list) == 0
}

// read converts an object to its type. One that does not fit is blocked: the API
// server may understand it otherwise.
func read(u *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into); err != nil {
		return fmt.Errorf("it cannot be read as a %s, so it cannot be judged", u.GetKind())
	}
	return nil
}
