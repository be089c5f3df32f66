package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// tenantLoot is the content of the neighbour's namespace.
const tenantLoot = "canary-Neighbour-77"

// tenantAttempts are charts by which a tenant tries to read or write in
// NEIGHBOUR's namespace, or cluster-scoped objects.
var tenantAttempts = map[string]map[string]string{
	"an object in the namespace": {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: planted, namespace: NEIGHBOUR}\n"},
	"by a value":                 {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: planted, namespace: {{ .Values.target }}}\n"},
	"in a list":                  {"a.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: planted, namespace: NEIGHBOUR}}]\n"},
	"over what is there":         {"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: loot, namespace: NEIGHBOUR}\nstringData: {token: mine}\n"},
	"a namespace":                {"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: NEIGHBOUR-planted}\n"},
	"a label on the namespace":   {"a.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: NEIGHBOUR, labels: {planted: here}}\n"},
	"a cluster role":             {"a.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NEIGHBOUR-planted}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n"},
	"a cluster role binding":     {"a.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: NEIGHBOUR-planted}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: User, name: me}]\n"},
	"a CRD of the crds folder":   {"crds/a.yaml": plantedCRD},
	"a CRD":                      {"a.yaml": plantedCRD},
	"a hook in the namespace":    {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: planted, namespace: NEIGHBOUR, annotations: {helm.sh/hook: pre-install}}\n"},
	"a hook in none":             {"a.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NEIGHBOUR-planted, annotations: {helm.sh/hook: pre-install}}\n"},
	"lookup of a Secret":         {"a.yaml": stolen(`lookup "v1" "Secret" "NEIGHBOUR" "loot"`)},
	"lookup of all Secrets":      {"a.yaml": stolen(`lookup "v1" "Secret" "NEIGHBOUR" ""`)},
	"lookup of all namespaces":   {"a.yaml": stolen(`lookup "v1" "Secret" "" ""`)},
	"lookup by tpl":              {"a.yaml": stolen(`tpl "{{ lookup \"v1\" \"Secret\" \"NEIGHBOUR\" \"loot\" }}" .`)},
	"lookup of a namespace":      {"a.yaml": stolen(`lookup "v1" "Namespace" "" "NEIGHBOUR"`)},
	"lookup that pretends":       {"a.yaml": stolen(`lookup "v1" "Namespace" .Release.Namespace "NEIGHBOUR"`)},
	"a path out of the chart":    {"a.yaml": stolen(`.Files.Get "../../../../etc/hostname"`)},
	"the name of another owner":  {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: planted, namespace: NEIGHBOUR, annotations: {meta.helm.sh/release-name: other, meta.helm.sh/release-namespace: NEIGHBOUR}}\n"},
}

const plantedCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: planteds.NEIGHBOUR.example.com}
spec:
  group: NEIGHBOUR.example.com
  names: {kind: Planted, plural: planteds}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`

// stolen is a ConfigMap with the result of an expression.
func stolen(expression string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stolen}\ndata:\n  loot: {{ " + expression + " | toJson | quote }}\n"
}

// A tenant reaches nothing outside of its namespace with any input to the
// engine: neither if the engine impersonates the tenant, nor if the engine is
// cluster-admin and has an allow-list.
func TestTenantStaysInItsNamespace(t *testing.T) {
	f := newFixture(t)
	neighbour := f.cluster.Namespace(t)
	if _, err := f.client.CoreV1().Secrets(neighbour).Create(f.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "loot"}, StringData: map[string]string{"token": tenantLoot},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tenant := "tenant-" + f.namespace
	f.makeTenant(tenant)
	for way, opts := range map[string]engine.Options{
		"allow-list":    {Allow: engine.OwnNamespace},
		"impersonation": {As: rest.ImpersonationConfig{UserName: tenant}},
	} {
		for name, templates := range tenantAttempts {
			t.Run(way+"/"+name, func(t *testing.T) {
				files := map[string]string{"own.yaml": configMap}
				for file, text := range templates {
					files[file] = strings.ReplaceAll(text, "NEIGHBOUR", neighbour)
				}
				f.attempt(t, opts, neighbour, loadChart(t, "1.0.0", files), nil)
			})
		}
		t.Run(way+"/kustomize", func(t *testing.T) {
			overlay := fstest.MapFS{"kustomization.yaml": {Data: []byte("namespace: " + neighbour + "\n")}}
			f.attempt(t, opts, neighbour, loadChart(t, "1.0.0", map[string]string{"own.yaml": configMap}), []render.PostRenderer{render.Kustomize(overlay, ".")})
		})
		t.Run(way+"/a stored revision", func(t *testing.T) { f.attemptStored(t, opts, neighbour) })
	}
}

// makeTenant gives a user all permissions in the fixture's namespace.
func (f *fixture) makeTenant(user string) {
	f.Helper()
	rbac := f.client.RbacV1()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	if _, err := rbac.Roles(f.namespace).Create(f.ctx, role, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	if _, err := rbac.RoleBindings(f.namespace).Create(f.ctx, binding, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) attempt(t *testing.T, opts engine.Options, neighbour string, c engine.Source, post []render.PostRenderer) {
	t.Helper()
	cfg, requests := testcluster.Record(f.cluster.Config())
	e, err := engine.New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	values, err := render.MergeValues(render.FromMap("tenant", map[string]any{"target": neighbour}))
	if err != nil {
		t.Fatal(err)
	}
	r := engine.Release{Key: f.key, Source: c, Values: values, PostRender: post}
	p, planErr := e.Plan(f.ctx, r, engine.PlanOptions{})
	_, err = e.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
	var out strings.Builder
	fmt.Fprintln(&out, planErr, err)
	if p != nil {
		if err := p.Report.WriteText(&out, diff.TextOptions{Verbose: true}); err != nil {
			t.Error(err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Error(err)
		}
		out.Write(text)
	}
	if err == nil {
		// It is not an attempt to write, so it is one to read.
		cm, getErr := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "stolen", metav1.GetOptions{})
		if getErr != nil {
			t.Fatalf("it was let through: %v", getErr)
		}
		fmt.Fprintln(&out, cm.Data)
		if err := e.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoWait: true}); err != nil {
			t.Error(err)
		}
	} else if err := e.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoWait: true}); !errors.Is(err, engine.ErrReleaseNotFound) && (err != nil || opts.Allow != nil) {
		// Without an allow-list a hook is refused only when it runs.
		t.Errorf("something was recorded: %v", err)
	}
	if strings.Contains(out.String(), tenantLoot) || strings.Contains(out.String(), "Y2FuYXJ5") {
		t.Errorf("the neighbour's secret is out:\n%s", &out)
	}
	f.untouched(t, opts, neighbour, requests)
}

// untouched checks that the neighbour's namespace is unchanged and, with an
// allow-list, that it was not even read.
func (f *fixture) untouched(t *testing.T, opts engine.Options, neighbour string, requests *testcluster.Recorder) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(f.cluster.Config())
	maps, err := client.CoreV1().ConfigMaps(neighbour).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range maps.Items {
		if m.Name != "kube-root-ca.crt" {
			t.Errorf("planted ConfigMap %s", m.Name)
		}
	}
	loot, err := client.CoreV1().Secrets(neighbour).Get(f.ctx, "loot", metav1.GetOptions{})
	if err != nil || string(loot.Data["token"]) != tenantLoot {
		t.Errorf("the neighbour's secret became %v, %v", loot, err)
	}
	ns, err := client.CoreV1().Namespaces().Get(f.ctx, neighbour, metav1.GetOptions{})
	if err != nil || ns.Labels["planted"] != "" {
		t.Errorf("the neighbour's namespace is %v, %v", ns, err)
	}
	for _, request := range requests.Requests() {
		if opts.Allow != nil && strings.Contains(request.String(), neighbour) || request.Write() && !request.DryRun() && strings.Contains(request.String(), neighbour) {
			t.Errorf("asked for %s", request)
		}
	}
}

// attemptStored stores a forged revision, as the tenant may do in its own
// namespace, whose manifest names the neighbour's objects.
func (f *fixture) attemptStored(t *testing.T, opts engine.Options, neighbour string) {
	all := f.newEngine(f.cluster.Config())
	text := strings.ReplaceAll(tenantAttempts["over what is there"]["a.yaml"], "NEIGHBOUR", f.namespace)
	if _, err := all.Deploy(f.ctx, engine.Release{Key: f.key, Source: loadChart(t, "1.0.0", map[string]string{"a.yaml": text})}, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.rewriteManifest(1, f.namespace, neighbour)
	cfg, requests := testcluster.Record(f.cluster.Config())
	e, err := engine.New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	status, err := e.Status(f.ctx, f.key)
	fmt.Fprintln(&out, status, err)
	drift, err := e.Drift(f.ctx, f.key)
	fmt.Fprintln(&out, drift, err)
	_, err = e.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{NoWait: true})
	fmt.Fprintln(&out, err)
	err = e.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoWait: true})
	fmt.Fprintln(&out, err)
	if strings.Contains(out.String(), tenantLoot) || strings.Contains(out.String(), "Y2FuYXJ5") {
		t.Errorf("the neighbour's secret is out:\n%s", &out)
	}
	f.untouched(t, opts, neighbour, requests)
	for _, s := range []string{"loot", "sh.helm.release.v1.shop.v1", "sh.helm.release.v1.shop.v2"} {
		_ = f.client.CoreV1().Secrets(f.namespace).Delete(f.ctx, s, metav1.DeleteOptions{})
	}
}
