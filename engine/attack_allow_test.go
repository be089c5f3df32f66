package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/allow"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const attackPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: planted%s}\nspec: {%scontainers: [{name: a, image: a%s}]}\n"

// attackObjects are objects of the tenant's own namespace that would give it
// more than that, with what the refusal says.
var attackObjects = map[string]struct{ text, says string }{
	"privileged pod":        {fmt.Sprintf(attackPod, "", "", ", securityContext: {privileged: true}"), "privileged"},
	"host network":          {fmt.Sprintf(attackPod, "", "hostNetwork: true, ", ""), "hostNetwork"},
	"host path":             {fmt.Sprintf(attackPod, "", "volumes: [{name: v, hostPath: {path: /}}], ", ""), "hostPath"},
	"privileged hook":       {fmt.Sprintf(attackPod, ", annotations: {helm.sh/hook: pre-install}", "hostPID: true, ", ""), "hostPID"},
	"privileged post hook":  {fmt.Sprintf(attackPod, ", annotations: {helm.sh/hook: post-install}", "hostPID: true, ", ""), "hostPID"},
	"privileged test":       {fmt.Sprintf(attackPod, ", annotations: {helm.sh/hook: test}", "hostPID: true, ", ""), "hostPID"},
	"hook for later":        {fmt.Sprintf(attackPod, ", annotations: {helm.sh/hook: 'pre-delete,post-rollback'}", "hostPID: true, ", ""), "hostPID"},
	"hook without a name":   {strings.Replace(fmt.Sprintf(attackPod, ", annotations: {helm.sh/hook: pre-install}", "hostPID: true, ", ""), "name: planted", "generateName: planted-", 1), "hostPID"},
	"hooks in a list":       {"apiVersion: v1\nkind: PodList\nmetadata: {annotations: {helm.sh/hook: pre-install}}\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: planted}\n  spec: {hostIPC: true, containers: [{name: a, image: a}]}\n", "hostIPC"},
	"a token":               {"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: planted, annotations: {kubernetes.io/service-account.name: deployer}}\n", "token"},
	"bound to edit":         {"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: planted}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}\nsubjects: [{kind: ServiceAccount, name: default}]\n", "edit"},
	"a DNS name of others":  {"apiVersion: v1\nkind: Service\nmetadata: {name: planted, annotations: {external-dns.alpha.kubernetes.io/hostname: bank.example.com}}\nspec: {ports: [{port: 80}]}\n", "bank.example.com"},
	"in a list":             {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: planted}\n  spec: {hostIPC: true, containers: [{name: a, image: a}]}\n", "hostIPC"},
	"privileged Deployment": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: planted}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {hostNetwork: true, containers: [{name: a, image: a}]}}}\n", "hostNetwork"},
	"privileged CronJob":    {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: planted}\nspec: {schedule: '@daily', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, hostNetwork: true, containers: [{name: a, image: a}]}}}}}\n", "hostNetwork"},
	"a Role with all":       {"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: planted}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n", "verb *"},
	"bound to the cluster":  {"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: planted}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: default}]\n", "cluster-admin"},
	"external IP":           {"apiVersion: v1\nkind: Service\nmetadata: {name: planted}\nspec: {externalIPs: [192.0.2.7], ports: [{port: 80}]}\n", "externalIPs"},
	"host of others":        {"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: planted}\nspec: {rules: [{host: bank.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]}\n", "bank.example.com"},
}

// A rule sees the whole object, hooks included, before anything about it is
// read or written.
func TestAttackObjectsOfTheOwnNamespace(t *testing.T) {
	f := newFixture(t)
	e := f.newEngineWith(engine.Options{Allow: allow.All(allow.Tenant(), allow.Hosts("*.team.example.com"))})
	for name, c := range attackObjects {
		r := f.release(f.chart(map[string]string{"own.yaml": configMap, "a.yaml": c.text}))
		f.requests.Reset()
		p, err := e.Plan(f.ctx, r, engine.PlanOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := p.Err(); !errors.Is(err, engine.ErrNotAllowed) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the plan's error is %v, want %q", name, err, c.says)
		}
		if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); !errors.Is(err, engine.ErrNotAllowed) {
			t.Errorf("%s: deployed with %v", name, err)
		}
		for _, request := range f.requests.Requests() {
			if request.Write() || strings.Contains(request.Path, "planted") {
				t.Errorf("%s: asked for %s", name, request)
			}
		}
	}
}

// A pod template that someone has put among those of a workload's earlier
// revisions is judged before it is applied.
func TestAttackUndoToAPlantedTemplate(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	f.deploy(f.release(c))
	web := f.web()
	labels := map[string]string{"app": "shop", "planted": "true"}
	planted := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "planted", Labels: labels, Annotations: map[string]string{"deployment.kubernetes.io/revision": "9"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(web, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Name: "web", Image: "evil"}}}},
		},
	}
	if _, err := f.client.AppsV1().ReplicaSets(f.namespace).Create(f.ctx, planted, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	e := f.newEngineWith(engine.Options{Allow: allow.All(engine.OwnNamespace, allow.PodSecurity(allow.Baseline))})
	f.requests.Reset()
	undo := engine.Rollout{Verb: engine.Undo, Revision: 9}
	p, err := e.PlanRollout(f.ctx, f.key, undo, engine.PlanOptions{})
	if err == nil {
		err = p.Err()
	}
	if !errors.Is(err, engine.ErrNotAllowed) {
		t.Errorf("the plan's error is %v", err)
	}
	if _, err := e.Rollout(f.ctx, f.key, undo, engine.ApplyOptions{NoWait: true}); !errors.Is(err, engine.ErrNotAllowed) {
		t.Errorf("undone with %v", err)
	}
	if writes := f.writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// A report of created objects shows what such a rule refuses to a reviewer who
// has none.
func TestCreatedObjectsShowTheirPrivileges(t *testing.T) {
	f := newFixture(t)
	for name, says := range map[string]string{
		"privileged pod": "privileged (a)", "host network": "hostNetwork", "host path": "host path /", "privileged Deployment": "hostNetwork",
		"privileged CronJob": "hostNetwork", "a Role with all": "grants * on *", "bound to the cluster": "binds ClusterRole cluster-admin to ServiceAccount default",
		"external IP": "external IPs 192.0.2.7", "host of others": "hosts bank.example.com",
	} {
		p, err := f.engine.Plan(f.ctx, f.release(f.chart(map[string]string{"a.yaml": attackObjects[name].text})), engine.PlanOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var text, markdown strings.Builder
		if err := p.Report.WriteText(&text, diff.TextOptions{}); err != nil {
			t.Error(err)
		}
		if err := p.Report.WriteMarkdown(&markdown, diff.MarkdownOptions{}); err != nil {
			t.Error(err)
		}
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), says) || !strings.Contains(strings.Join(strings.Fields(markdown.String()), " "), says) {
			t.Errorf("%s: the report does not say %q:\n%s", name, says, &text)
		}
	}
}

// Going back to pods of an earlier revision reads nothing of a workload that a
// forged history moves to another namespace.
func TestAttackUndoBeyondTheAllowList(t *testing.T) {
	f := newFixture(t)
	neighbour := f.cluster.Namespace(t)
	f.deploy(f.release(f.chart(map[string]string{"web.yaml": strings.Replace(deployment, "metadata:", "metadata:\n  namespace: "+f.namespace, 1)})))
	f.rewriteManifest(1, "namespace: "+f.namespace, "namespace: "+neighbour)
	e := f.newEngineWith(engine.Options{Allow: engine.OwnNamespace})
	for _, verb := range []engine.Verb{engine.Undo, engine.Restart, engine.Scale, engine.Pause} {
		f.requests.Reset()
		_, err := e.Rollout(f.ctx, f.key, engine.Rollout{Verb: verb, Workload: "deploy/shop"}, engine.ApplyOptions{NoWait: true})
		if !errors.Is(err, engine.ErrNotAllowed) {
			t.Errorf("%s: %v", verb, err)
		}
		f.wantNoRequests(string(verb), neighbour)
	}
}

func (f *fixture) wantNoRequests(what, namespace string) {
	f.Helper()
	for _, request := range f.requests.Requests() {
		if strings.Contains(request.String(), namespace) {
			f.Errorf("%s: asked for %s", what, request)
		}
	}
}

// An object of one's own that carries another release's mark does not tell
// whether that release exists.
func TestAttackAskingForAReleaseByItsMark(t *testing.T) {
	f := newFixture(t)
	neighbour := f.cluster.Namespace(t)
	e := f.newEngineWith(engine.Options{Allow: engine.OwnNamespace})
	marked := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-config, annotations: {meta.helm.sh/release-name: bank, meta.helm.sh/release-namespace: " + neighbour + "}}\n"
	f.make(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, f.namespace, marked)
	said := func() string {
		f.requests.Reset()
		p, err := e.Plan(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.wantNoRequests("plan", neighbour)
		return fmt.Sprint(p.Problems)
	}
	without := said()
	bank := engine.Release{Key: engine.Key{Namespace: neighbour, Name: "bank"}, Source: f.chart(map[string]string{"a.yaml": configMap})}
	if _, err := f.engine.Deploy(f.ctx, bank, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	if with := said(); with != without || !strings.Contains(with, "bank") {
		t.Errorf("the plan says %q with the release, and %q without", with, without)
	}
}

// What a CRD of the release would lose is counted, and named only where the
// rule allows it.
func TestAttackNamesThroughADefinition(t *testing.T) {
	g := newGadgets(t)
	neighbour := g.cluster.Namespace(t)
	gvr := schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}
	crd := func(fields ...string) map[string]string {
		return map[string]string{"config.yaml": configMap, "crd.yaml": g.definition([]string{"v1"}, fields...)}
	}
	g.deploy(g.release(g.chart(crd(size, "colour: {type: string}"))))
	for _, at := range []string{neighbour, g.namespace} {
		g.make(gvr, at, strings.Replace(g.gadget("v1", "size: 1, colour: red"), "{name: g}", "{name: in-"+at+"}", 1))
	}
	e := g.newEngineWith(engine.Options{Allow: func(a engine.Access) error {
		if a.Object.Kind == "CustomResourceDefinition" {
			return nil
		}
		return engine.OwnNamespace(a)
	}})
	for what, templates := range map[string]map[string]string{"a lost field": crd(size), "the definition": {"config.yaml": configMap}} {
		p, err := e.Plan(g.ctx, g.release(g.chart(templates)), engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(p.Err(), p.Report)
		if p.Err() == nil || !strings.Contains(text, "in-"+g.namespace) || strings.Contains(text, neighbour) {
			t.Errorf("%s: the plan says %s", what, text)
		}
	}
}

// An engine for another user acts with that user's permissions alone, and knows
// the served kinds without asking again.
func TestAsAnotherUser(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	tenant := "tenant-" + f.namespace
	f.makeTenant(tenant)
	e, err := f.engine.As(rest.ImpersonationConfig{UserName: tenant})
	if err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := e.Deploy(ctx, r, engine.ApplyOptions{})
		return err
	})
	for _, request := range f.requests.Requests() {
		if strings.HasPrefix(request.Path, "/openapi") || request.Path == "/apis" || request.Path == "/api" {
			t.Errorf("asked again for %s", request)
		}
	}
	if err := e.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	other := engine.Key{Namespace: f.cluster.Namespace(t), Name: "shop"}
	if _, err := e.Deploy(f.ctx, engine.Release{Key: other, Source: r.Source}, engine.ApplyOptions{}); !errors.Is(err, engine.ErrForbidden) {
		t.Errorf("in another namespace: %v", err)
	}
	// The first engine is as it was.
	if _, err := f.engine.Deploy(f.ctx, engine.Release{Key: other, Source: r.Source}, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := f.client.CoreV1().ConfigMaps(other.Namespace).Get(f.ctx, "shop-config", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// Who looks like a user and is none is refused: the engine would act with its
// own permissions.
func TestAttackImpersonationWithoutAUser(t *testing.T) {
	f := newFixture(t)
	for name, who := range map[string]rest.ImpersonationConfig{
		"nothing": {}, "groups": {Groups: []string{"tenants"}}, "no group": {Groups: []string{}}, "uid": {UID: "7"},
		"extra": {Extra: map[string][]string{"a": {"b"}}}, "no extra": {Extra: map[string][]string{}},
	} {
		e, err := f.engine.As(who)
		if e != nil || !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "nothing" {
			continue // Options.As has a zero value
		}
		if _, err := engine.New(f.config, engine.Options{As: who}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
