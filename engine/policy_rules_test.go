package engine_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// ruledMode is a plan that is made and applied with no other permissions than
// its PolicyRules.
type ruledMode struct {
	before  func(f *fixture) // what a superuser does first
	plan    func(f *fixture, e *engine.Engine) (*engine.Plan, error)
	fails   bool // the release does not become ready, and is diagnosed
	crashes bool // its pods crash, so that their logs are read
}

const (
	ruledHookPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}}\nspec: {restartPolicy: Never, containers: [{name: a, image: a}]}\n"
	ruledPod     = "apiVersion: v1\nkind: Pod\nmetadata: {name: bare}\nspec: {containers: [{name: a, image: a}]}\n"
	ruledService = "apiVersion: v1\nkind: Service\nmetadata: {name: new}\nspec: {ports: [{port: 80}]}\n"
	ruledRole    = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\nrules: [{apiGroups: [''], resources: [endpoints], verbs: [get]}]\n---\n" +
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: reader}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}\nsubjects: [{kind: ServiceAccount, name: default}]\n"
)

// ruledHookRole are roles that hooks need.
var ruledHookRole = strings.ReplaceAll(ruledRole, "metadata: {name: reader}", "metadata: {name: reader, annotations: {helm.sh/hook: 'pre-install,pre-upgrade,pre-delete'}}")

func ruledDeploy(templates map[string]string, set ...string) func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
	return func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.Plan(f.ctx, f.release(f.chart(templates), f.ruledSet(set)...), engine.PlanOptions{})
	}
}

// ruledSet fills in the namespace's StorageClass.
func (f *fixture) ruledSet(set []string) []string {
	out := slices.Clone(set)
	for i := range out {
		if strings.Contains(out[i], "CLASS") {
			out[i] = strings.ReplaceAll(out[i], "CLASS", f.classOf())
		}
	}
	return out
}

// classOf is the StorageClass of the test's claims.
func (f *fixture) classOf() string {
	classes, err := f.client.StorageV1().StorageClasses().List(f.ctx, metav1.ListOptions{LabelSelector: "of=" + f.namespace})
	if err != nil {
		f.Fatal(err)
	}
	if len(classes.Items) > 0 {
		return classes.Items[0].Name
	}
	name := f.class(true)
	if _, err := f.client.StorageV1().StorageClasses().Patch(f.ctx, name, types.MergePatchType, []byte(`{"metadata":{"labels":{"of":"`+f.namespace+`"}}}`), metav1.PatchOptions{}); err != nil {
		f.Fatal(err)
	}
	return name
}

func ruledBefore(templates map[string]string, set ...string) func(f *fixture) {
	return func(f *fixture) { f.deploy(f.release(f.chart(templates), f.ruledSet(set)...)) }
}

func ruledRollout(r engine.Rollout) func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
	return func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.PlanRollout(f.ctx, f.key, r, engine.PlanOptions{})
	}
}

var (
	ruledWeb      = map[string]string{"a.yaml": configMap, "web.yaml": deployment, "s.yaml": ruledService}
	ruledDatabase = map[string]string{"a.yaml": configMap, "db.yaml": database}
)

func with(templates map[string]string, more ...string) map[string]string {
	out := maps.Clone(templates)
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

var ruledModes = map[string]ruledMode{
	"install":         {plan: ruledDeploy(ruledWeb)},
	"with hooks":      {plan: ruledDeploy(with(ruledWeb, "hook.yaml", hookJob))},
	"with a hook pod": {before: ruledBefore(ruledWeb), plan: ruledDeploy(with(ruledWeb, "hook.yaml", ruledHookPod), "tag=2.0")},
	"roles":           {plan: ruledDeploy(with(ruledWeb, "role.yaml", ruledRole))},
	"roles of a hook": {plan: ruledDeploy(with(ruledWeb, "role.yaml", ruledHookRole))},
	"a hook's roles again": {
		before: ruledBefore(with(ruledWeb, "role.yaml", ruledHookRole)),
		plan:   ruledDeploy(with(ruledWeb, "role.yaml", ruledHookRole), "tag=2.0"),
	},
	"roles of a last hook": {
		before: ruledBefore(with(ruledWeb, "role.yaml", ruledHookRole)),
		plan: func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
			return e.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
		},
	},
	"a pod":            {plan: ruledDeploy(with(ruledWeb, "pod.yaml", ruledPod))},
	"autoscaler":       {before: ruledBefore(with(ruledWeb, "hpa.yaml", autoscaler)), plan: ruledDeploy(ruledWeb, "replicas=3")},
	"many of one kind": {plan: ruledDeploy(map[string]string{"a.yaml": manyMaps})},
	"a hook again":     {before: ruledBefore(with(ruledWeb, "hook.yaml", hookJob)), plan: ruledDeploy(with(ruledWeb, "hook.yaml", hookJob), "tag=2.0")},
	"a hook that goes": {plan: ruledDeploy(with(ruledWeb, "hook.yaml", strings.Replace(hookJob, "annotations: {", "annotations: {helm.sh/hook-delete-policy: hook-succeeded, ", 1)))},
	"a crash loop":     {plan: ruledDeploy(with(ruledWeb, "web.yaml", behaving("crash-loop"))), fails: true, crashes: true},
	"a crash with a Secret of others": {
		before: func(f *fixture) { f.foreign("theirs", "canary-Rules-1") },
		plan:   ruledDeploy(with(ruledWeb, "web.yaml", strings.Replace(behaving("crash-loop"), "        image:", "        envFrom: [{secretRef: {name: theirs}}]\n        image:", 1))), fails: true, crashes: true,
	},
	"a claim that waits":  {plan: ruledDeploy(with(ruledDatabase, "class.yaml", "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: none-{{ .Release.Namespace }}}\nprovisioner: example.com/none\n", "db.yaml", strings.Replace(database, "storageClassName: {{ . }}", "storageClassName: none-{{ $.Release.Namespace }}", 1)), "class=x"), fails: true},
	"upgrade":             {before: ruledBefore(with(ruledWeb, "old.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: old}\n")), plan: ruledDeploy(ruledWeb, "tag=2.0")},
	"no change":           {before: ruledBefore(ruledWeb), plan: ruledDeploy(ruledWeb)},
	"database":            {plan: ruledDeploy(ruledDatabase, "class=CLASS")},
	"database, no change": {before: ruledBefore(ruledDatabase, "class=CLASS"), plan: ruledDeploy(ruledDatabase, "class=CLASS")},
	"database, more":      {before: ruledBefore(ruledDatabase, "class=CLASS"), plan: ruledDeploy(ruledDatabase, "class=CLASS", "size=2Gi")},
	"correction": {before: func(f *fixture) {
		ruledBefore(ruledWeb)(f)
		f.edit("configmaps", "shop-config", "kubectl-edit", `{"data":{"colour":"red"}}`)
	}, plan: func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	}},
	"correction, nothing": {before: ruledBefore(ruledDatabase, "class=CLASS"), plan: func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	}},
	"rollback": {before: func(f *fixture) { ruledBefore(ruledWeb)(f); ruledBefore(ruledWeb, "tag=2.0")(f) }, plan: func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	}},
	"scale":             {before: ruledBefore(ruledWeb), plan: ruledRollout(engine.Rollout{Verb: engine.Scale, Replicas: 3})},
	"undo a Deployment": {before: func(f *fixture) { ruledBefore(ruledWeb)(f); ruledBefore(ruledWeb, "tag=2.0")(f) }, plan: ruledRollout(engine.Rollout{Verb: engine.Undo})},
	"undo a StatefulSet": {before: func(f *fixture) {
		ruledBefore(ruledDatabase, "class=CLASS")(f)
		ruledBefore(ruledDatabase, "class=CLASS", "tag=2.0")(f)
	}, plan: ruledRollout(engine.Rollout{Verb: engine.Undo})},
	"uninstall": {before: ruledBefore(with(ruledWeb, "role.yaml", ruledRole)), plan: func(f *fixture, e *engine.Engine) (*engine.Plan, error) {
		return e.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	}},
}

// Every rule of Plan.PolicyRules is needed to plan, apply and wait, and no
// request is refused with them alone.
func TestPolicyRulesAreCompleteAndMinimal(t *testing.T) {
	for name, mode := range ruledModes {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			rules := f.rulesOf(mode)
			asked, err := f.playWith(mode, rules)
			if (err != nil) != mode.fails {
				t.Errorf("it ends with %v", err)
			}
			for _, a := range asked {
				if a.refused {
					t.Errorf("refused: %s", a)
				}
			}
			for namespace, rules := range rules {
				for _, r := range rules {
					for _, verb := range r.Verbs {
						if diagnosis[r.Resources[0]] && !mode.fails || unseen[verb+" "+r.Resources[0]] || r.Resources[0] == "pods/log" && !mode.crashes {
							continue
						}
						f.wantNeeded(asked, namespace, r, verb)
					}
				}
			}
		})
	}
}

func (f *fixture) wantNeeded(asked []ask, namespace string, r rbacv1.PolicyRule, verb string) {
	f.Helper()
	names := r.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		needs := func(a ask) bool {
			return a.needs(namespace, r, verb, name) ||
				verb == "list" && a.needs(namespace, r, "watch", name) || // a watch that expires lists
				verb == "get" && a.needs(namespace, r, "patch", name) // what a dry-run has shown to be missing is read the next time
		}
		if !slices.ContainsFunc(asked, needs) {
			f.Errorf("not needed: %s %s.%s %q in namespace %q", verb, r.Resources[0], r.APIGroups[0], name, namespace)
		}
	}
}

// Without any one rule something is refused.
func TestEachPolicyRuleIsNeeded(t *testing.T) {
	for _, name := range []string{"roles", "roles of a hook", "undo a StatefulSet", "a hook that goes", "uninstall"} {
		mode := ruledModes[name]
		all := newFixtureAlone(t).rulesOf(mode)
		for _, namespace := range sortedKeys(all) {
			for i, r := range all[namespace] {
				if diagnosis[r.Resources[0]] || !slices.ContainsFunc(r.Verbs, func(v string) bool { return !unseen[v+" "+r.Resources[0]] || v == "bind" || v == "escalate" }) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v %s", name, r.Verbs, r.Resources[0]), func(t *testing.T) {
					f := newFixture(t)
					rules := f.rulesOf(mode)
					at := namespace
					if at != "" {
						at = f.namespace
					}
					rules[at] = slices.Delete(slices.Clone(rules[at]), i, i+1)
					asked, err := f.playWith(mode, rules)
					if err == nil && !slices.ContainsFunc(asked, func(a ask) bool { return a.refused }) {
						t.Errorf("nothing is refused without %v", r)
					}
				})
			}
		}
	}
}

// rulesOf are the rules of the mode's plan, when everything before it is done.
func (f *fixture) rulesOf(mode ruledMode) map[string][]rbacv1.PolicyRule {
	f.Helper()
	if mode.before != nil {
		mode.before(f)
	}
	p, err := mode.plan(f, f.engine)
	if err == nil {
		err = p.Err()
	}
	if err != nil {
		f.Fatal(err)
	}
	rules, err := p.PolicyRules()
	if err != nil {
		f.Fatal(err)
	}
	return rules
}

// playWith makes and applies the mode's plan as a user with these rules alone.
func (f *fixture) playWith(mode ruledMode, rules map[string][]rbacv1.PolicyRule) ([]ask, error) {
	f.Helper()
	cfg, requests := testcluster.Record(f.user(rules))
	e := f.newEngine(cfg)
	p, err := mode.plan(f, e)
	if err == nil {
		if err = p.Err(); err == nil {
			_, err = e.Apply(f.ctx, p, engine.ApplyOptions{Timeout: 30 * time.Second})
		}
	}
	return asksOf(requests.Requests()), err
}

var (
	// diagnosis are resources that a wait reads only if something takes long, or
	// does not become ready.
	diagnosis = map[string]bool{"pods": true, "pods/log": true, "events": true, "replicasets": true, "persistentvolumeclaims": true, "storageclasses": true}
	// unseen are verbs that only a long call takes, or one after a killed one;
	// and those that the API server itself asks for.
	unseen = map[string]bool{"get leases": true, "delete secrets": true, "get pods": true, "escalate roles": true, "bind roles": true}
)

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// ask is what a request needs.
type ask struct {
	verb, group, resource, namespace, name string
	refused                                bool
}

func (a ask) String() string {
	return fmt.Sprintf("%s %s.%s %s/%s", a.verb, a.resource, a.group, a.namespace, a.name)
}

// needs reports whether the request needs one verb of a rule.
func (a ask) needs(namespace string, r rbacv1.PolicyRule, verb, name string) bool {
	if verb == "watch" && a.verb == "list" {
		a.verb = "watch" // unless the list shows already what is waited for
	}
	return a.verb == verb && a.group == r.APIGroups[0] && a.resource == r.Resources[0] && (namespace == "" || a.namespace == namespace) && (name == "" || a.name == name)
}

// asksOf are what requests for resources need.
func asksOf(requests []testcluster.Request) []ask {
	var out []ask
	for _, r := range requests {
		parts := strings.Split(strings.Trim(r.Path, "/"), "/")
		var a ask
		switch {
		case parts[0] == "api" && len(parts) > 2:
			parts = parts[2:]
		case parts[0] == "apis" && len(parts) > 3:
			a.group, parts = parts[1], parts[3:]
		default:
			continue // discovery
		}
		if strings.HasPrefix(parts[0], "selfsubject") {
			continue // everybody's
		}
		if parts[0] == "namespaces" && len(parts) > 1 {
			a.namespace = parts[1]
			if len(parts) > 2 {
				parts = parts[2:]
			}
		}
		a.resource = parts[0]
		if len(parts) > 1 {
			a.name = parts[1]
		}
		if len(parts) > 2 {
			a.resource += "/" + parts[2]
		}
		if s, ok := strings.CutPrefix(r.Query.Get("fieldSelector"), "metadata.name="); ok {
			a.name = s
		}
		a.verb = map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
		if r.Method == http.MethodGet && len(parts) == 1 {
			if a.verb = "list"; r.Watch() {
				a.verb = "watch"
			}
		}
		a.refused = r.Status == http.StatusForbidden
		out = append(out, a)
		if r.Method == http.MethodPatch && r.Status == http.StatusCreated {
			a.verb = "create"
			out = append(out, a)
		}
	}
	return out
}

// user makes a user with rules by namespace.
func (f *fixture) user(rules map[string][]rbacv1.PolicyRule) *rest.Config {
	f.Helper()
	cfg := f.cluster.User(f.T, "", rules[""]...)
	name := cfg.Impersonate.UserName
	for namespace, rules := range rules {
		if namespace == "" {
			continue
		}
		meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
		_, err := f.client.RbacV1().Roles(namespace).Create(f.ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
		if err == nil {
			_, err = f.client.RbacV1().RoleBindings(namespace).Create(f.ctx, &rbacv1.RoleBinding{
				ObjectMeta: meta, Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			}, metav1.CreateOptions{})
		}
		if err != nil {
			f.Fatal(err)
		}
		f.effective(name, namespace, rules[len(rules)-1])
	}
	return cfg
}

const manyMaps = "{{ range until 5 }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m{{ . }}}\n---\n{{ end }}"

// A plan that was read from JSON does not know its resources.
func TestPolicyRulesOfAStoredPlan(t *testing.T) {
	f := newFixture(t)
	stored, _ := f.store(f.plan(f.release(f.chart(ruledWeb))))
	if rules, err := stored.PolicyRules(); err == nil || rules != nil {
		t.Errorf("its rules are %v", rules)
	}
}
