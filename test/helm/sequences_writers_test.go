package helm_test

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

const (
	ingressPath = "apis/networking.k8s.io/v1/namespaces/NAME/ingresses/i"
	cronPath    = "apis/batch/v1/namespaces/NAME/cronjobs/c"
	rolePath    = "apis/rbac.authorization.k8s.io/v1/namespaces/NAME/roles/r"
	accountPath = "api/v1/namespaces/NAME/serviceaccounts/a"
	quotaPath   = "api/v1/namespaces/NAME/resourcequotas/q"
)

func ingress(spec string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: " + spec + "\n"
}
func backend(port int) string {
	return fmt.Sprintf("{service: {name: s, port: {number: %d}}}", port)
}
func rule(host, path string, port int) string {
	return fmt.Sprintf("{host: %s, http: {paths: [{path: %s, pathType: Prefix, backend: %s}]}}", host, path, backend(port))
}
func cron(spec, container string) string {
	return "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '1 * * * *'" + spec + ", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'" + container + "}]}}}}}\n"
}
func role(verbs string) string {
	return "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], verbs: [" + verbs + "]}]\n"
}
func account(rest string) string {
	return "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n" + rest + "\n"
}
func quota(services int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {count/services: '%d'}}\n", services)
}

// forget removes an object's managedFields, as a restored backup does.
func forget(path string) func(*place) error {
	return patch(path, types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
}

// inTurn does one thing after the other.
func inTurn(steps ...func(*place) error) func(*place) error {
	return func(p *place) error {
		for _, step := range steps {
			if err := step(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// applied is what another client applies by server-side apply.
func applied(path, text string) func(*place) error {
	return func(p *place) error {
		req := p.client.CoreV1().RESTClient().Patch(types.ApplyPatchType).AbsPath("/"+p.name(path)).Param("fieldManager", "another").Param("force", "true")
		return req.Body([]byte(p.name(text))).Do(p.ctx).Error()
	}
}

func firstRule(o map[string]any) any {
	if rules := items(o, "spec", "rules"); len(rules) == 1 {
		return rules[0]
	}
	return nil
}

// writerSequences are those with other ways to write: lost managedFields,
// subresources, apply by others, and lists that merge as a whole.
var writerSequences = map[string]sequence{
	"managedFields lost, a key removed": {
		before: config("", "{a: one, b: two}"), after: config("", "{a: one}"), path: configPath,
		byHand: forget(configPath),
		want:   func(o map[string]any) bool { return field(o, "data", "b") == nil && field(o, "data", "a") == "one" },
	},
	"managedFields lost, an edit, a value changed": {
		before: web("", "", ", env: [{name: A, value: a}, {name: B, value: b}]"), after: web("", "", ", env: [{name: A, value: c}]"), path: webPath,
		byHand: inTurn(forget(webPath), patch(webPath, types.StrategicMergePatchType, `{"metadata":{"annotations":{"x":"y"}}}`)),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=c" },
	},
	"managedFields lost after an edit of the same field": {
		before: web("", "", ", env: [{name: A, value: a}]"), after: web("", "", ", env: [{name: A, value: c}]"), path: webPath,
		byHand: inTurn(patch(webPath, types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"hand"}]}]}}}}`), forget(webPath)),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=c" },
	},
	"the status written by another client": {
		before: web("", "", ""), after: web("", "", ", args: [a]"), path: webPath,
		byHand: func(p *place) error {
			return p.client.CoreV1().RESTClient().Patch(types.MergePatchType).AbsPath("/"+p.name(webPath)+"/status").Param("fieldManager", "another").Body([]byte(`{"status":{"collisionCount":7}}`)).Do(p.ctx).Error()
		},
		want: func(o map[string]any) bool { return len(items(container(o), "args")) == 1 },
	},
	"replicas applied through the scale subresource": {
		before: web("", "", ""), after: web("", "", ", args: [a]"), path: webPath, release: force,
		byHand: applied(webPath+"/scale", `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web","namespace":"NAME"},"spec":{"replicas":3}}`),
		want: func(o map[string]any) bool {
			return fmt.Sprint(field(o, "spec", "replicas")) == "1" && len(items(container(o), "args")) == 1
		},
	},
	"a host of an Ingress changed": {
		before: ingress("{rules: [" + rule("a.example.com", "/", 80) + "]}"), after: ingress("{rules: [" + rule("b.example.com", "/", 80) + "]}"), path: ingressPath,
		want: func(o map[string]any) bool { return field(firstRule(o), "host") == "b.example.com" },
	},
	"an Ingress edited by hand": {
		before: ingress("{rules: [" + rule("a.example.com", "/", 80) + "]}"), after: ingress("{rules: [" + rule("a.example.com", "/", 81) + "]}"), path: ingressPath, release: force,
		byHand: patch(ingressPath, types.JSONPatchType, `[{"op":"add","path":"/spec/rules/-","value":{"host":"hand.example.com"}}]`),
		want: func(o map[string]any) bool {
			paths := items(firstRule(o), "http", "paths")
			return len(paths) == 1 && fmt.Sprint(field(paths[0], "backend", "service", "port", "number")) == "81"
		},
	},
	"an Ingress from a default backend to rules": {
		before: ingress("{defaultBackend: " + backend(80) + "}"), after: ingress("{rules: [" + rule("a.example.com", "/", 80) + "]}"), path: ingressPath,
		want: func(o map[string]any) bool {
			return field(o, "spec", "defaultBackend") == nil && field(firstRule(o), "host") == "a.example.com"
		},
	},
	"an Ingress that loses TLS": {
		before: ingress("{tls: [{hosts: [a.example.com], secretName: t}], rules: [" + rule("a.example.com", "/", 80) + "]}"), after: ingress("{rules: [" + rule("a.example.com", "/", 80) + "]}"), path: ingressPath,
		want: func(o map[string]any) bool { return items(o, "spec", "tls") == nil && firstRule(o) != nil },
	},
	"a variable of a CronJob renamed": {
		before: cron("", ", env: [{name: A, value: x}]"), after: cron(", suspend: true", ", env: [{name: B, value: x}]"), path: cronPath,
		want: func(o map[string]any) bool {
			list := items(o, "spec", "jobTemplate", "spec", "template", "spec", "containers")
			return len(list) == 1 && names(items(list[0], "env")) == "B=x" && field(o, "spec", "suspend") == true
		},
	},
	"verbs of a Role changed after an edit by hand": {
		before: role("get, list"), after: role("get"), path: rolePath, release: force,
		byHand: patch(rolePath, types.JSONPatchType, `[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]`),
		want: func(o map[string]any) bool {
			r := items(o, "rules")
			return len(r) == 1 && fmt.Sprint(field(r[0], "verbs")) == "[get]"
		},
	},
	"a pull secret removed": {
		before: account("imagePullSecrets: [{name: a}, {name: b}]"), after: account("imagePullSecrets: [{name: b}]"), path: accountPath,
		want: func(o map[string]any) bool { return names(items(o, "imagePullSecrets")) == "b=<nil>" },
	},
	"a chart that raises its own quota": {
		before: quota(1) + "---\n" + service("{ports: [{port: 80}]}"), path: "api/v1/namespaces/NAME/services/new",
		after: quota(2) + "---\n" + service("{ports: [{port: 80}]}") + "---\n" + strings.Replace(service("{ports: [{port: 80}]}"), "name: s", "name: new", 1),
		want:  func(o map[string]any) bool { return field(o, "metadata", "name") == "new" },
	},
	"a quota lowered and the object gone": {
		before: quota(2) + "---\n" + service("{ports: [{port: 80}]}"), after: quota(0), path: quotaPath,
		want: func(o map[string]any) bool { return field(o, "spec", "hard", "count/services") == "0" },
	},
	"a ConfigMap that becomes immutable": {
		before: config("", "{a: one}"), after: config("", "{a: two}") + "immutable: true\n", path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "two" && field(o, "immutable") == true },
	},
	"the items of a whole list of a custom resource": {
		before: thing("{list: [a, b, a]}"), after: thing("{list: [b]}"), path: thingPath, release: force,
		byHand: patch(thingPath, types.MergePatchType, `{"spec":{"list":["x","a"]}}`),
		want:   func(o map[string]any) bool { return fmt.Sprint(items(o, "spec", "list")) == "[b]" },
	},
}
