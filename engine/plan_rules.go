package engine

import (
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// PolicyRules are the RBAC rules that making the plan again, applying it, and
// waiting for it take, and no more: by namespace, "" for what needs a
// ClusterRole. Objects are named where a rule can name them. Among the rules are
// those by which a wait says why something does not become ready; the rules of
// Roles that the plan writes are granted by the verbs escalate and bind.
//
// They are made for one plan; a Role for a pipeline needs those of its next
// plans too, which docs/permissions.md lists. A plan that was read from JSON
// does not know its resources: PolicyRules fails.
func (p *Plan) PolicyRules() (map[string][]rbacv1.PolicyRule, error) {
	if p == nil || p.work == nil {
		return nil, &Error{Op: "list policy rules", Hint: "plan again", Err: errors.New("the plan was read from JSON and does not know its resources")}
	}
	rules := ruleSet{}
	for _, a := range p.work.asked {
		rules.add(a.Namespace, a.Group, a.Resource, a.Name, a.Verb)
	}
	rules.addRecord(p)
	for _, s := range p.work.steps {
		rules.addStep(s)
	}
	rules.addWaits(p)
	for _, h := range p.work.hookPermissions {
		rules.add(h.Namespace, h.Group, h.Resource, nameUnless(h, "create"), h.Verb)
	}
	for _, h := range p.work.hookTargets {
		rules.addGrants(h.target, h.desired, "") // created, and so without a name yet
	}
	return rules.byNamespace(), nil
}

// addRecord adds what the release's history and namespace take.
func (r ruleSet) addRecord(p *Plan) {
	at := p.work.storage
	home := at.namespaceOf(p.Key)
	if !at.elsewhere() {
		r.add(home, "coordination.k8s.io", "leases", storage.LeaseName(p.Key.Name), "get") // of engines of earlier versions
	}
	if p.work.namespace.created() {
		r.add("", "", "namespaces", "", "create")
	}
	if !p.Changed() && p.Kind != PlanUninstall || at.elsewhere() {
		return
	}
	if p.Kind == PlanUninstall {
		r.add(home, "", at.resource(), "", "create") // reserves the next revision
	}
	for _, verb := range recordVerbs(p) {
		r.add(home, "", at.resource(), "", verb)
	}
}

// addStep adds what writing one object takes.
func (r ruleSet) addStep(s step) {
	verbs := writeVerbs(s.change.Action)
	for _, verb := range verbs {
		r.addTo(s.object.target, verb)
	}
	if len(verbs) == 0 || s.object.desired == nil {
		return
	}
	r.addGrants(s.object.target, s.object.desired, s.object.id.Name)
	if s.object.asked != nil {
		r.addTo(s.object.target, "get") // by whoever goes on with the plan
	}
	for _, g := range s.write.growth {
		r.add(g.claim.Namespace, "", "persistentvolumeclaims", g.claim.Name, "patch", "list", "watch")
		r.add(g.claim.Namespace, "", "pods", "", "list", "watch")
	}
}

// addGrants adds what the API server asks of who writes an RBAC object: all that
// it grants, or these verbs.
func (r ruleSet) addGrants(t target, desired *unstructured.Unstructured, name string) {
	if t.id.Group != rbacv1.GroupName {
		return
	}
	switch t.id.Kind {
	case "Role", "ClusterRole":
		r.add(t.id.Namespace, rbacv1.GroupName, t.mapping.Resource.Resource, name, "escalate")
	case "RoleBinding", "ClusterRoleBinding":
		kind, _, _ := unstructured.NestedString(desired.Object, "roleRef", "kind")
		role, _, _ := unstructured.NestedString(desired.Object, "roleRef", "name")
		r.add(t.id.Namespace, rbacv1.GroupName, strings.ToLower(kind)+"s", role, "bind")
	}
}

// addWaits adds what waiting reads: that what is wanted becomes ready, with the
// reasons why not; or that what is deleted is gone.
func (r ruleSet) addWaits(p *Plan) {
	awaited := map[resourceIn][]string{}
	await := func(t target) {
		at := resourceIn{t.id.Namespace, t.mapping.Resource.Group, t.mapping.Resource.Resource}
		awaited[at] = append(awaited[at], t.id.Name)
	}
	for _, s := range p.work.steps {
		switch o := s.object; {
		case s.change.Action == diff.Deleted && (p.Kind == PlanUninstall || p.work.deleteOrder != nil),
			s.change.Action == diff.Replaced:
			await(o.target)
		case p.Kind == PlanUninstall, o.desired == nil, o.mapping == nil:
		case s.change.Changed() && readiness.ReadyOnceWritten(o.desired, p.work.rules):
		case readiness.Watched(o.groupKind(), p.work.rules):
			await(o.target)
			r.addDiagnosis(o.target, o.desired)
		}
	}
	for _, h := range p.work.hookTargets {
		if h.awaited {
			await(h.target)
		}
		r.addDiagnosis(h.target, h.desired)
	}
	for _, o := range secretsOfPods(p.Key, p.work.objects()) {
		r.add(o.Namespace, "", "secrets", o.Name, "get") // to hide their values in what pods say
	}
	for at, names := range awaited {
		name := ""
		if len(names) == 1 {
			name = names[0]
		}
		r.add(at.namespace, at.group, at.resource, name, "list", "watch")
	}
}

// addDiagnosis adds what a wait reads to say why an object is not ready.
func (r ruleSet) addDiagnosis(t target, desired *unstructured.Unstructured) {
	pods, claims := readiness.Reads(t.groupKind(), desired)
	if !pods && !claims {
		return
	}
	r.add(t.id.Namespace, "", "events", "", "list", "watch")
	if pods {
		r.add(t.id.Namespace, "", "pods", "", "get", "list", "watch")
		r.add(t.id.Namespace, "", "pods/log", "", "get")
	}
	if pods && (t.id.Kind == "Deployment" || !diff.IsBuiltinGroup(t.id.Group)) {
		r.add(t.id.Namespace, "apps", "replicasets", "", "list", "watch")
	}
	if claims {
		r.add(t.id.Namespace, "", "persistentvolumeclaims", "", "get")
		r.add("", "storage.k8s.io", "storageclasses", "", "get")
	}
}

// resourceIn is one resource in one namespace.
type resourceIn struct{ namespace, group, resource string }

// ruleSet is what is granted on each resource: verbs, and for each the names of
// the objects; the empty name is all of them.
type ruleSet map[resourceIn]map[string][]string

// addTo adds verbs on one object. An object is created before its name counts.
func (r ruleSet) addTo(t target, verb string) {
	p := permissionTo(verb, t)
	r.add(p.Namespace, p.Group, p.Resource, nameUnless(p, "create"), verb)
}

// nameUnless is the name of a permission's object, unless the verb is the one
// given.
func nameUnless(p Permission, verb string) string {
	if p.Verb == verb {
		return ""
	}
	return p.Name
}

func (r ruleSet) add(namespace, group, resource, name string, verbs ...string) {
	at := resourceIn{namespace, group, resource}
	if r[at] == nil {
		r[at] = map[string][]string{}
	}
	for _, v := range verbs {
		r[at][v] = appendNew(r[at][v], name)
	}
}

// byNamespace makes rules of the set: verbs on the same objects are one rule.
func (r ruleSet) byNamespace() map[string][]rbacv1.PolicyRule {
	out := map[string][]rbacv1.PolicyRule{}
	for at, verbs := range r {
		grouped := map[string]*rbacv1.PolicyRule{}
		for verb, names := range verbs {
			if slices.Contains(names, "") {
				names = nil
			}
			slices.Sort(names)
			key := strings.Join(names, " ")
			if grouped[key] == nil {
				grouped[key] = &rbacv1.PolicyRule{APIGroups: []string{at.group}, Resources: []string{at.resource}, ResourceNames: names}
			}
			grouped[key].Verbs = append(grouped[key].Verbs, verb)
		}
		for _, rule := range grouped {
			slices.Sort(rule.Verbs)
			out[at.namespace] = append(out[at.namespace], *rule)
		}
	}
	for _, rules := range out {
		slices.SortFunc(rules, func(a, b rbacv1.PolicyRule) int { return strings.Compare(ruleKey(a), ruleKey(b)) })
	}
	return out
}

func ruleKey(r rbacv1.PolicyRule) string {
	return r.APIGroups[0] + "/" + r.Resources[0] + " " + strings.Join(r.ResourceNames, ",") + " " + strings.Join(r.Verbs, ",")
}
