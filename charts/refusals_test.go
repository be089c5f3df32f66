package charts

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Values that cannot be meant are refused, in words that say where and what was wanted.
func TestRefusals(t *testing.T) {
	const password = "auth: {password: x}\n"
	tests := map[string]struct {
		chart, values string
		want          []string
	}{
		"unknown key":             {"webapp", "replica: 3", []string{"replica"}},
		"unknown inner key":       {"webapp", "service: {ports: 80}", []string{"/service", "ports"}},
		"unknown key of a probe":  {"webapp", "probes: {liveness: {httpGet: {pfad: /}}}", []string{"/probes/liveness/httpGet", "pfad"}},
		"wrong type":              {"webapp", "replicas: three", []string{"/replicas"}},
		"negative replicas":       {"webapp", "replicas: -1", []string{"/replicas"}},
		"node port out of range":  {"webapp", "service: {type: NodePort, nodePort: 8080}", []string{"/service/nodePort"}},
		"node port of ClusterIP":  {"webapp", "service: {nodePort: 30000}", []string{"service.nodePort needs service.type NodePort"}},
		"headless NodePort":       {"webapp", "service: {type: NodePort, headless: true}", []string{"service.headless needs service.type ClusterIP"}},
		"unknown service type":    {"webapp", "service: {type: Nodeport}", []string{"/service/type", "'NodePort'"}},
		"unknown strategy":        {"webapp", "strategy: {type: BlueGreen}", []string{"/strategy/type", "'Recreate'"}},
		"numeric variable":        {"webapp", "env: {WORKERS: 4}", []string{"/env/WORKERS"}},
		"short digest":            {"webapp", "image: {digest: sha256:abc}", []string{"/image/digest"}},
		"registry without server": {"webapp", "registries: [{username: a, password: b}]", []string{"/registries/0", "server"}},
		"ingress without hosts":   {"webapp", "ingress: {enabled: true}", []string{"ingress.enabled needs ingress.hosts"}},
		"ingress without service": {"webapp", "ingress: {enabled: true, hosts: [{host: a.example}]}\nservice: {enabled: false}", []string{"ingress.enabled needs service.enabled"}},
		"route without gateway":   {"webapp", "httpRoute: {enabled: true}", []string{"httpRoute.enabled needs httpRoute.parentRefs"}},
		"scaling without request": {"webapp", "autoscaling: {enabled: true}", []string{"set resources.requests.cpu"}},
		"scaling upside down":     {"webapp", "autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}", []string{"minReplicas (5) is above", "maxReplicas (2)"}},
		"a rollout that never is": {"webapp", "strategy: {maxSurge: 0, maxUnavailable: 0%}", []string{"strategy", "raise one of them"}},
		"two budgets":             {"webapp", "podDisruptionBudget: {enabled: true, minAvailable: 1, maxUnavailable: 1}", []string{"not both"}},
		"cron without schedule":   {"webapp", "cronJobs: {nightly: {command: [a]}}", []string{"/cronJobs/nightly", "schedule"}},
		"bad name of a cron job":  {"webapp", "cronJobs: {Nightly_1: {schedule: '@daily'}}", []string{"/cronJobs", "Nightly_1"}},

		"no password":              {"database", "{}", []string{"set auth.password, or name an existing Secret in auth.existingSecret"}},
		"two passwords":            {"database", "auth: {password: a, existingSecret: b}", []string{"exclude each other"}},
		"unknown engine":           {"database", password + "engine: postgres", []string{"/engine", "'postgresql'"}},
		"class without a driver":   {"database", password + "storageClass: {create: true}", []string{"storageClass.create needs storageClass.provisioner"}},
		"scripts of redis":         {"database", password + "engine: redis\ninitScripts: {a.sh: x}", []string{"initScripts", "redis"}},
		"root of mysql":            {"database", "engine: mysql\nauth: {password: a, username: root}", []string{"auth.username"}},
		"login of replicas":        {"database", "engine: mysql\nauth: {password: a, username: replica}", []string{"auth.username", "replica"}},
		"admin password, no key":   {"database", "engine: mysql\nauth: {password: a, adminPassword: b}", []string{"auth.adminPasswordKey"}},
		"one key, two passwords":   {"database", "engine: mysql\nauth: {password: a, adminPassword: b, adminPasswordKey: password}", []string{"auth.adminPasswordKey", "admin-password"}},
		"password as user name":    {"database", "auth: {password: a, passwordKey: username}", []string{"auth.passwordKey", "username"}},
		"a second volume data":     {"database", password + "storage: {extraVolumes: [{name: data, mountPath: /x, size: 1Gi}]}", []string{"a volume data already"}},
		"two volumes of a name":    {"database", password + "storage: {extraVolumes: [{name: wal, mountPath: /x, size: 1Gi}]}\nvolumes: [{name: wal, emptyDir: {}}]", []string{"a volume wal already"}},
		"an image without version": {"database", password + "image: {repository: mine}", []string{"image.repository needs image.tag or image.digest"}},
		"unknown reclaim policy":   {"database", password + "storageClass: {reclaimPolicy: Recycle}", []string{"/storageClass/reclaimPolicy", "'Retain'"}},
		"a size that is none":      {"database", password + "storage: {size: big}", []string{"/storage/size"}},
		"an unknown access mode":   {"database", password + "storage: {accessModes: [RWO]}", []string{"/storage/accessModes/0", "'ReadWriteOnce'"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			if err := yaml.UnmarshalStrict([]byte(test.values), &values); err != nil {
				t.Fatal(err)
			}
			_, byHelm := helmRender(helmChart(t, test.chart), "shop", "prod", values)
			_, err := renderRelease(t, test.chart, "shop", "prod", values)
			for who, err := range map[string]error{"Helm": byHelm, "render": err} {
				if err == nil {
					t.Fatalf("%s renders it", who)
				}
				for _, want := range test.want {
					if who == "render" {
						want = inRendersWords(want)
					}
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %q does not say %q", who, err, want)
					}
				}
			}
		})
	}
}

var listIndex = regexp.MustCompile(`/([0-9]+)`)

// inRendersWords turns the place or the choice that Helm's validator tells into what render tells.
func inRendersWords(helm string) string {
	if path, ok := strings.CutPrefix(helm, "/"); ok {
		return strings.ReplaceAll(listIndex.ReplaceAllString(path, "[$1]"), "/", ".")
	}
	return strings.ReplaceAll(helm, "'", `"`)
}

// A key that the schema does not know says which one was meant, at every depth, Kubernetes' own types included.
func TestUnknownKeysSayWhatToWrite(t *testing.T) {
	for values, want := range map[string]string{
		"replica: 3":                  `replica: wanted no such value, the name is unknown to the schema (perhaps "replicas" is meant)`,
		"service: {nodeport: 30000}":  `service.nodeport: wanted no such value, the name is unknown to the schema (perhaps "nodePort" is meant)`,
		"cronJobs: {a: {schedul: x}}": `cronJobs.a.schedul: wanted no such value, the name is unknown to the schema (perhaps "schedule" is meant)`,
		"extraPorts: [{name: a, containerPort: 1, protocoll: UDP}]": `extraPorts[0].protocoll: wanted no such value, the name is unknown to the schema (perhaps "protocol" is meant)`,
		"probes: {liveness: {httpGet: {pfad: /}}}":                  `(it knows host, httpHeaders, path, port,`,
	} {
		plain := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(values), &plain); err != nil {
			t.Fatal(err)
		}
		if _, err := renderRelease(t, "webapp", "shop", "prod", plain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", values, err, want)
		}
	}
}
