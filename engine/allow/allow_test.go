package allow_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/allow"
)

// access is a release's wish to have an object, in YAML, in namespace team.
func access(t *testing.T, text string) engine.Access {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return engine.Access{Key: engine.Key{Namespace: "team", Name: "shop"}, Object: diff.ObjectOf(u), Desired: u}
}

const (
	hardened = "securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}"
	meta     = "metadata: {name: x, namespace: team}\n"
)

func pod(spec string) string { return "apiVersion: v1\nkind: Pod\n" + meta + "spec: " + spec + "\n" }

func workload(apiVersion, kind, path string) string {
	spec := "{template: {spec: {hostNetwork: true, containers: [{name: a, image: a}]}}}"
	if path == "job" {
		spec = "{jobTemplate: {spec: " + spec + "}}"
	}
	return "apiVersion: " + apiVersion + "\nkind: " + kind + "\n" + meta + "spec: " + spec + "\n"
}

func rbac(kind, rest string) string {
	return "apiVersion: rbac.authorization.k8s.io/v1\nkind: " + kind + "\n" + meta + rest + "\n"
}

func role(rule string) string { return rbac("Role", "rules: [{apiGroups: [''], "+rule+"}]") }

func binding(role, subject string) string {
	return rbac("RoleBinding", "roleRef: {apiGroup: rbac.authorization.k8s.io, "+role+"}\nsubjects: [{"+subject+"}]")
}

func TestTenant(t *testing.T) {
	rule := allow.Tenant()
	for name, text := range map[string]string{
		"a ConfigMap":             "apiVersion: v1\nkind: ConfigMap\n" + meta,
		"a Secret":                "apiVersion: v1\nkind: Secret\ntype: Opaque\n" + meta,
		"a Secret without a type": "apiVersion: v1\nkind: Secret\n" + meta,
		"a hardened pod":          pod("{containers: [{name: a, image: a, " + hardened + "}]}"),
		"a Role":                  role("resources: [configmaps], verbs: [get, list]"),
		"a RoleBinding":           binding("kind: Role, name: x", "kind: ServiceAccount, name: a"),
		"a RoleBinding to view":   binding("kind: ClusterRole, name: view", "kind: ServiceAccount, name: a, namespace: team"),
		"a Service":               "apiVersion: v1\nkind: Service\n" + meta + "spec: {externalIPs: [], ports: [{port: 80}]}\n",
		"a kind it does not know": "apiVersion: example.com/v1\nkind: Gadget\n" + meta,
	} {
		if err := rule(access(t, text)); err != nil {
			t.Errorf("%s is blocked: %v", name, err)
		}
	}
	a := "{name: a, image: a, "
	for name, c := range map[string]struct{ text, says string }{
		"another namespace":             {strings.Replace("apiVersion: v1\nkind: ConfigMap\n"+meta, "team", "other", 1), "not in namespace team"},
		"cluster-scoped":                {"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n", "cluster-scoped"},
		"privileged":                    {pod("{containers: [" + a + "securityContext: {privileged: true}}]}"), "privileged"},
		"in an init container":          {pod("{initContainers: [" + a + "securityContext: {privileged: true}}], containers: [" + a + hardened + "}]}"), "privileged"},
		"in an ephemeral one":           {pod("{ephemeralContainers: [" + a + "securityContext: {privileged: true}}], containers: [" + a + hardened + "}]}"), "privileged"},
		"no context":                    {pod("{containers: [{name: a, image: a}]}"), "runAsNonRoot"},
		"host path":                     {pod("{volumes: [{name: v, hostPath: {path: /}}], containers: [" + a + hardened + "}]}"), "hostPath"},
		"host network":                  {pod("{hostNetwork: true, containers: [" + a + hardened + "}]}"), "hostNetwork"},
		"host port":                     {pod("{containers: [" + a + "ports: [{containerPort: 80, hostPort: 80}], " + hardened + "}]}"), "hostPort"},
		"a pod that does not fit":       {pod("{containers: [{name: a, image: a, securityContext: privileged}]}"), "cannot be read"},
		"containers as a mapping":       {pod("{containers: {a: b}}"), "cannot be read"},
		"a Deployment":                  {workload("apps/v1", "Deployment", ""), "hostNetwork"},
		"a StatefulSet":                 {workload("apps/v1", "StatefulSet", ""), "hostNetwork"},
		"a DaemonSet":                   {workload("apps/v1", "DaemonSet", ""), "hostNetwork"},
		"a ReplicaSet":                  {workload("apps/v1", "ReplicaSet", ""), "hostNetwork"},
		"an old version":                {workload("apps/v1beta1", "Deployment", ""), "hostNetwork"},
		"a Job":                         {workload("batch/v1", "Job", ""), "hostNetwork"},
		"a CronJob":                     {workload("batch/v1", "CronJob", "job"), "hostNetwork"},
		"a replication controller":      {workload("v1", "ReplicationController", ""), "hostNetwork"},
		"a PodTemplate":                 {"apiVersion: v1\nkind: PodTemplate\n" + meta + "template: {spec: {hostPID: true, containers: [{name: a, image: a}]}}\n", "hostPID"},
		"all verbs":                     {role("resources: [configmaps], verbs: ['*']"), "verb *"},
		"all resources":                 {role("resources: ['*'], verbs: [get]"), "all groups"},
		"all subresources":              {role("resources: ['*/scale'], verbs: [get]"), "all groups"},
		"bind":                          {role("resources: [roles], verbs: [bind]"), "bind"},
		"escalate":                      {role("resources: [roles], verbs: [Escalate]"), "Escalate"},
		"impersonate":                   {role("resources: [users], verbs: [impersonate]"), "impersonate"},
		"tokens":                        {role("resources: [serviceaccounts/token], verbs: [create]"), "token"},
		"rules as a string":             {rbac("Role", "rules: all"), "cannot be read"},
		"a ClusterRole in a namespace":  {rbac("ClusterRole", "rules: []"), "beyond"},
		"admin":                         {binding("kind: ClusterRole, name: admin", "kind: ServiceAccount, name: a"), "admin"},
		"edit, which impersonates":      {binding("kind: ClusterRole, name: edit", "kind: ServiceAccount, name: a"), "edit"},
		"a token in a Secret":           {"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\n" + meta, "token"},
		"cluster-admin":                 {binding("kind: ClusterRole, name: cluster-admin", "kind: ServiceAccount, name: a"), "cluster-admin"},
		"a user":                        {binding("kind: Role, name: x", "kind: User, name: me"), "User"},
		"a group":                       {binding("kind: Role, name: x", "kind: Group, name: 'system:authenticated'"), "Group"},
		"another's account":             {binding("kind: Role, name: x", "kind: ServiceAccount, name: a, namespace: other"), "ServiceAccount"},
		"external IPs":                  {"apiVersion: v1\nkind: Service\n" + meta + "spec: {externalIPs: [192.0.2.1], ports: [{port: 80}]}\n", "externalIPs"},
		"endpoints":                     {"apiVersion: v1\nkind: Endpoints\n" + meta + "subsets: []\n", "endpoints"},
		"a slice of endpoints":          {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" + meta + "addressType: IPv4\nendpoints: []\n", "endpoints"},
		"external IPs that are no list": {"apiVersion: v1\nkind: Service\n" + meta + "spec: {externalIPs: 192.0.2.1}\n", "externalIPs"},
	} {
		err := rule(access(t, c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error about %q", name, err, c.says)
		}
	}
	// What is only read or deleted has no fields to judge by.
	a2 := access(t, pod("{hostNetwork: true}"))
	a2.Desired = nil
	if err := rule(a2); err != nil {
		t.Errorf("deleting is blocked: %v", err)
	}
}

func TestPodSecurityLevels(t *testing.T) {
	plain := access(t, pod("{containers: [{name: a, image: a}]}"))
	for level, want := range map[allow.Level]bool{allow.Baseline: true, allow.Restricted: false, "": false, "privileged": false, "Baseline": false} {
		if err := allow.PodSecurity(level)(plain); (err == nil) != want {
			t.Errorf("%q: %v", level, err)
		}
	}
}

func TestHosts(t *testing.T) {
	rule := allow.Hosts("shop.example.com", "*.team.example.com")
	ingress := func(spec string) string {
		return "apiVersion: networking.k8s.io/v1\nkind: Ingress\n" + meta + "spec: " + spec + "\n"
	}
	route := func(kind, spec string) string {
		return "apiVersion: gateway.networking.k8s.io/v1\nkind: " + kind + "\n" + meta + "spec: " + spec + "\n"
	}
	annotated := func(kind, annotation string) string {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: x, namespace: team, annotations: {" + annotation + "}}\n"
	}
	for name, text := range map[string]string{
		"exact":      ingress("{rules: [{host: shop.example.com}]}"),
		"below":      ingress("{rules: [{host: a.b.team.example.com}], tls: [{hosts: [a.team.example.com]}]}"),
		"upper case": ingress("{rules: [{host: Shop.Example.com}]}"),
		"a pattern":  ingress("{rules: [{host: '*.team.example.com'}]}"),
		"a route":    route("HTTPRoute", "{hostnames: [shop.example.com]}"),
		"a Gateway":  route("Gateway", "{listeners: [{hostname: shop.example.com}]}"),
		"no Ingress": "apiVersion: v1\nkind: Service\n" + meta,
		"a DNS name": annotated("Service", "external-dns.alpha.kubernetes.io/hostname: 'shop.example.com, a.team.example.com'"),
	} {
		if err := rule(access(t, text)); err != nil {
			t.Errorf("%s is blocked: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"another":          ingress("{rules: [{host: bank.example.com}]}"),
		"the parent":       ingress("{rules: [{host: team.example.com}]}"),
		"ends alike":       ingress("{rules: [{host: evilteam.example.com}]}"),
		"a wider pattern":  ingress("{rules: [{host: '*.example.com'}]}"),
		"one of two":       ingress("{rules: [{host: shop.example.com}, {host: bank.example.com}]}"),
		"a rule without":   ingress("{rules: [{host: shop.example.com}, {http: {}}]}"),
		"an empty host":    ingress("{rules: [{host: ''}]}"),
		"only TLS":         ingress("{rules: [{host: shop.example.com}], tls: [{hosts: [bank.example.com]}]}"),
		"default backend":  ingress("{rules: [{host: shop.example.com}], defaultBackend: {service: {name: x}}}"),
		"nothing":          ingress("{}"),
		"no hostnames":     route("HTTPRoute", "{}"),
		"a number":         ingress("{rules: [{host: 1}]}"),
		"a mapping":        ingress("{rules: {host: shop.example.com}}"),
		"a DNS name":       annotated("Service", "external-dns.alpha.kubernetes.io/hostname: bank.example.com"),
		"one of two names": annotated("ConfigMap", "external-dns.alpha.kubernetes.io/internal-hostname: 'shop.example.com,bank.example.com'"),
		"an alias":         annotated("Ingress", "nginx.ingress.kubernetes.io/server-alias: '*.bank.example.com'"),
		"no text":          annotated("Service", "external-dns.alpha.kubernetes.io/hostname: [bank.example.com]"),
		"listener without": route("Gateway", "{listeners: [{port: 80}]}"),
	} {
		if err := rule(access(t, text)); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func ExampleAll() {
	rule := allow.All(engine.OwnNamespace, allow.Hosts("*.shop.example.com"))
	fmt.Println(rule(engine.Access{
		Key:    engine.Key{Namespace: "shop", Name: "web"},
		Object: diff.Object{Version: "v1", Kind: "ConfigMap", Namespace: "bank", Name: "rates"},
	}))
	// Output: it is not in namespace shop, to which the release is restricted
}
