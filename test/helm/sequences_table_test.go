package helm_test

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

func force(r *engine.Release) { r.Force = true }

const (
	sequenceWeb = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  %s\n  template:\n    metadata: {labels: {app: web}}\n    spec: {%scontainers: [{name: web, image: 'web:1'%s}]}\n"
	sequenceJob = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j%s}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:%s'}]}}}\n"
	webPath     = "apis/apps/v1/namespaces/NAME/deployments/web"
	servicePath = "api/v1/namespaces/NAME/services/s"
	configPath  = "api/v1/namespaces/NAME/configmaps/c"
	secretPath  = "api/v1/namespaces/NAME/secrets/s"
	thingPath   = "apis/sequences.example.com/v1/namespaces/NAME/things/t"
	policyPath  = "apis/networking.k8s.io/v1/namespaces/NAME/networkpolicies/net"
	scalerPath  = "apis/autoscaling/v2/namespaces/NAME/horizontalpodautoscalers/h"
)

func web(spec, pod, container string) string { return fmt.Sprintf(sequenceWeb, spec, pod, container) }
func service(spec string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: " + spec + "\n"
}
func config(metadata, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c" + metadata + "}\ndata: " + data + "\n"
}
func secret(rest string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" + rest + "\n"
}
func thing(spec string) string {
	return "apiVersion: sequences.example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: " + spec + "\n"
}

func sequenceSet(size string) string {
	return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {replicas: 0, serviceName: d, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: " + size + "}}}}]}\n"
}

func policy(rest string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: net}\nspec: {podSelector: {}" + rest + "}\n"
}
func daemons(rest string) string {
	return "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: {matchLabels: {a: b}}, " + rest + "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n"
}

func field(o any, path ...string) any {
	m, _ := o.(map[string]any)
	v, _, _ := unstructured.NestedFieldNoCopy(m, path...)
	return v
}
func items(o any, path ...string) []any { list, _ := field(o, path...).([]any); return list }
func container(o map[string]any) any {
	if list := items(o, "spec", "template", "spec", "containers"); len(list) == 1 {
		return list[0]
	}
	return nil
}
func isEmptyMap(v any) bool { m, ok := v.(map[string]any); return ok && len(m) == 0 }
func names(list []any) string {
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprint(field(v, "name"), "=", field(v, "value")))
	}
	return strings.Join(out, " ")
}

var sequences = map[string]sequence{
	"emptied map of a workload": {
		before: web("", "", ", securityContext: {runAsUser: 1}"), after: web("", "", ", securityContext: {}"), path: webPath,
		want: func(o map[string]any) bool { return isEmptyMap(field(container(o), "securityContext")) },
	},
	"emptied map of a custom resource": {
		before: thing("{automated: {prune: true}}"), after: thing("{automated: {}}"), path: thingPath,
		want: func(o map[string]any) bool { return isEmptyMap(field(o, "spec", "automated")) },
	},
	"emptied list of a custom resource": {
		before: thing("{list: [a]}"), after: thing("{list: []}"), path: thingPath,
		want: func(o map[string]any) bool { l, ok := field(o, "spec", "list").([]any); return ok && len(l) == 0 },
	},
	"key leaves stringData": {
		before: secret("stringData: {a: one, b: two}"), after: secret("stringData: {a: one}"), path: secretPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "b25l" && field(o, "data", "b") == nil },
	},
	"stringData becomes data": {
		before: secret("stringData: {a: one}"), after: secret("data: {a: dHdv}"), path: secretPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "dHdv" },
	},
	"null is absent": {
		before: web("", "", ""), after: web("", "", ", readinessProbe: null"), path: webPath,
		want: func(o map[string]any) bool {
			return container(o) != nil && field(container(o), "readinessProbe") == nil
		},
	},
	"null removes": {
		before: web("", "", ", readinessProbe: {tcpSocket: {port: 80}}"), after: web("", "", ", readinessProbe: null"), path: webPath,
		want: func(o map[string]any) bool {
			return container(o) != nil && field(container(o), "readinessProbe") == nil
		},
	},
	"null as data": {
		before: config("", "{a: b, c: d}"), after: config("", "{a: b, c: null}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "b" && field(o, "data", "c") == nil },
	},
	"RollingUpdate by default, then Recreate": {
		before: web("", "", ""), after: web("strategy: {type: Recreate}", "", ""), path: webPath,
		want: func(o map[string]any) bool { return field(o, "spec", "strategy", "type") == "Recreate" },
	},
	"RollingUpdate, then Recreate with null": {
		before: web("strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 3}}", "", ""), after: web("strategy: {type: Recreate, rollingUpdate: null}", "", ""), path: webPath,
		want: func(o map[string]any) bool { return field(o, "spec", "strategy", "type") == "Recreate" },
	},
	"volume gets a source": {
		before: web("", "volumes: [{name: v}], ", ""), after: web("", "volumes: [{name: v, configMap: {name: c}}], ", ""), path: webPath,
		want: func(o map[string]any) bool {
			v := items(o, "spec", "template", "spec", "volumes")
			return len(v) == 1 && field(v[0], "configMap") != nil && field(v[0], "emptyDir") == nil
		},
	},
	"probe changes its handler": {
		before: web("", "", ", livenessProbe: {tcpSocket: {port: 80}}"), after: web("", "", ", livenessProbe: {httpGet: {port: 80}}"), path: webPath,
		want: func(o map[string]any) bool {
			p := field(container(o), "livenessProbe")
			return field(p, "httpGet") != nil && field(p, "tcpSocket") == nil
		},
	},
	"env value becomes valueFrom": {
		before: web("", "", ", env: [{name: A, value: x}]"), after: web("", "", ", env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), path: webPath,
		want: func(o map[string]any) bool {
			e := items(container(o), "env")
			return len(e) == 1 && field(e[0], "valueFrom") != nil && field(e[0], "value") == nil
		},
	},
	"port changed by hand": {
		before: service("{ports: [{name: h, port: 80}]}"), after: service("{ports: [{name: h, port: 80}], selector: {a: b}}"), path: servicePath, release: force,
		byHand: patch(servicePath, types.JSONPatchType, `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`),
		want: func(o map[string]any) bool {
			p := items(o, "spec", "ports")
			return len(p) == 1 && fmt.Sprint(field(p[0], "port")) == "80"
		},
	},
	"union member changed by hand": {
		before: web("", "", ", env: [{name: A, value: x}]"), after: web("", "", ", env: [{name: A, value: other}]"), path: webPath, release: force,
		byHand: patch(webPath, types.JSONPatchType, `[{"op":"replace","path":"/spec/template/spec/containers/0/env/0","value":{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}}]`),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=other" },
	},
	"value changed by hand": {
		before: config("", "{a: b}"), after: config("", "{a: c}"), path: configPath, release: force,
		byHand: patch(configPath, types.MergePatchType, `{"data":{"a":"other"}}`),
		want:   func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"key added by hand": {
		before: config("", "{a: b}"), after: config("", "{a: c}"), path: configPath,
		byHand: patch(configPath, types.MergePatchType, `{"data":{"theirs":"x"}}`),
		want: func(o map[string]any) bool {
			return field(o, "data", "a") == "c" && field(o, "data", "theirs") == "x"
		},
	},
	"deleted by hand": {
		before: config("", "{a: b}"), after: config("", "{a: c}"), path: configPath,
		byHand: func(p *place) error {
			return p.client.CoreV1().ConfigMaps(p.namespace).Delete(p.ctx, "c", metav1.DeleteOptions{})
		},
		want: func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"scaled by hand": {
		before: web("", "", ""), after: web("", "", ", args: [a]"), path: webPath, release: force,
		byHand: patch(webPath, types.MergePatchType, `{"spec":{"replicas":3}}`),
		want:   func(o map[string]any) bool { return len(items(container(o), "args")) == 1 },
	},
	"autoscaler of v1 becomes v2": {
		before: "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 9, targetCPUUtilizationPercentage: 50, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n",
		after:  "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 9, metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}], scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n",
		path:   scalerPath,
		want: func(o map[string]any) bool {
			m := items(o, "spec", "metrics")
			return len(m) == 1 && field(m[0], "resource", "name") == "memory"
		},
	},
	"autoscaler leaves": {
		before: strings.Replace(web("", "", ""), "  replicas: 1\n", "", 1) + "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n",
		after:  strings.Replace(web("", "", ""), "replicas: 1", "replicas: 2", 1), path: webPath,
		want: func(o map[string]any) bool { return fmt.Sprint(field(o, "spec", "replicas")) == "2" },
	},
	"duplicates leave": {
		before: web("", "", ", env: [{name: ONE, value: a}, {name: TWO, value: b}, {name: ONE, value: c}]"), after: web("", "", ", env: [{name: ONE, value: a}, {name: TWO, value: b}]"), path: webPath,
		options: engine.Options{FieldValidation: engine.FieldValidationWarn},
		want:    func(o map[string]any) bool { return names(items(container(o), "env")) == "ONE=a TWO=b" },
	},
	"unknown field": {
		before: web("", "", ""), after: web("", "", ", imagee: x, args: [a]"), path: webPath,
		options: engine.Options{FieldValidation: engine.FieldValidationWarn},
		want:    func(o map[string]any) bool { return len(items(container(o), "args")) == 1 },
	},
	"port on two protocols": {
		before: web("", "", ", ports: [{name: a, containerPort: 53, protocol: TCP}]"), after: web("", "", ", ports: [{name: a, containerPort: 53, protocol: TCP}, {name: b, containerPort: 53, protocol: UDP}]"), path: webPath,
		want: func(o map[string]any) bool { return len(items(container(o), "ports")) == 2 },
	},
	"headless becomes NodePort": {
		before: service("{clusterIP: None, ports: [{port: 80}]}"), after: service("{type: NodePort, ports: [{port: 80}]}"), path: servicePath,
		options: engine.Options{Replace: []engine.Replace{{Kind: "Service", Policy: engine.ReplaceRecreate}}},
		want:    func(o map[string]any) bool { return field(o, "spec", "type") == "NodePort" },
	},
	"NodePort becomes ClusterIP": {
		before: service("{type: NodePort, ports: [{port: 80}]}"), after: service("{type: ClusterIP, ports: [{port: 80}]}"), path: servicePath,
		want: func(o map[string]any) bool {
			p := items(o, "spec", "ports")
			return field(o, "spec", "type") == "ClusterIP" && len(p) == 1 && field(p[0], "nodePort") == nil
		},
	},
	"changed Job": {
		before: fmt.Sprintf(sequenceJob, "", "1"), after: fmt.Sprintf(sequenceJob, "", "2"), path: "apis/batch/v1/namespaces/NAME/jobs/j",
		options: engine.Options{Replace: []engine.Replace{{Kind: "Job", Policy: engine.ReplaceRecreate}}},
		want:    func(o map[string]any) bool { return field(container(o), "image") == "a:2" },
	},
	"hook left behind": {
		before: config("", "{a: b}"), path: configPath,
		after: config("", "{a: c}") + "---\n" + fmt.Sprintf(sequenceJob, ", annotations: {helm.sh/hook: pre-upgrade}", "2"),
		byHand: func(p *place) error {
			return p.create(schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}, fmt.Sprintf(sequenceJob, ", annotations: {helm.sh/hook: pre-upgrade}", "1"))
		},
		want: func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"hook left behind that stays": {
		before: config("", "{a: b}"), path: configPath,
		after: config("", "{a: c}") + "---\n" + fmt.Sprintf(sequenceJob, ", annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-succeeded}", "2"),
		byHand: func(p *place) error {
			return p.create(schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}, fmt.Sprintf(sequenceJob, ", annotations: {helm.sh/hook: pre-upgrade}", "1"))
		},
		want: func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"hook becomes an object": {
		afterHelm: func(r *engine.Release) { r.Adopt, r.Force = true, true }, // Helm's hooks do not say whose they are
		before:    config("", "{a: b}") + "---\n" + strings.Replace(service("{ports: [{port: 80}]}"), "name: s", "name: s, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}", 1),
		after:     config("", "{a: b}") + "---\n" + service("{ports: [{port: 81}]}"), path: servicePath,
		want: func(o map[string]any) bool {
			p := items(o, "spec", "ports")
			return len(p) == 1 && fmt.Sprint(field(p[0], "port")) == "81"
		},
	},
	"claims of a StatefulSet grow": {
		before: sequenceSet("1Gi"), after: sequenceSet("2Gi"), path: "apis/apps/v1/namespaces/NAME/statefulsets/d",
		want: func(o map[string]any) bool {
			c := items(o, "spec", "volumeClaimTemplates")
			return len(c) == 1 && field(c[0], "spec", "resources", "requests", "storage") == "2Gi"
		},
	},
	"label removed by hand": {
		before: config(", labels: {a: b}", "{a: b}"), after: config(", labels: {a: b}", "{a: c}"), path: configPath, release: force,
		byHand: patch(configPath, types.JSONPatchType, `[{"op":"remove","path":"/metadata/labels/a"}]`),
		want:   func(o map[string]any) bool { return field(o, "metadata", "labels", "a") == "b" },
	},
	"key of binaryData becomes one of data": {
		before: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nbinaryData: {a: b25l}\n", after: config("", "{a: one}"), path: configPath,
		want: func(o map[string]any) bool {
			return field(o, "data", "a") == "one" && field(o, "binaryData", "a") == nil
		},
	},
	"default of a list item leaves": {
		before: web("", "", ", ports: [{containerPort: 80, protocol: UDP}]"), after: web("", "", ", ports: [{containerPort: 80}]"), path: webPath,
		want: func(o map[string]any) bool {
			p := items(container(o), "ports")
			return len(p) == 1 && field(p[0], "protocol") == "TCP"
		},
	},
	"lost managedFields": {
		before: config("", "{a: b, gone: x}"), after: config("", "{a: c}"), path: configPath,
		byHand: patch(configPath, types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`),
		want:   func(o map[string]any) bool { return field(o, "data", "a") == "c" && field(o, "data", "gone") == nil },
	},
	"lost managedFields of a workload": {
		before: web("", "", ", env: [{name: A, value: a}, {name: B, value: b}]"), after: web("", "", ", env: [{name: A, value: c}]"), path: webPath,
		byHand: patch(webPath, types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=c" },
	},
	"fields that the server sets": {
		before: config(", resourceVersion: '1', uid: 12345678-1234-1234-1234-123456789012, generation: 3, creationTimestamp: null", "{a: b}"),
		after:  config(", resourceVersion: '17', creationTimestamp: null", "{a: c}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"status in the manifest": {
		before: service("{ports: [{port: 80}]}\nstatus: {loadBalancer: {}}"), after: service("{ports: [{port: 81}]}\nstatus: {loadBalancer: {}}"), path: servicePath,
		want: func(o map[string]any) bool {
			p := items(o, "spec", "ports")
			return len(p) == 1 && fmt.Sprint(field(p[0], "port")) == "81"
		},
	},
	"aggregated ClusterRole": {
		before: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NAME, labels: {v: a}}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {to: NAME}}]}\nrules: []\n",
		after:  "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NAME, labels: {v: b}}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {to: NAME}}]}\nrules: []\n",
		path:   "apis/rbac.authorization.k8s.io/v1/clusterroles/NAME",
		want:   func(o map[string]any) bool { return field(o, "metadata", "labels", "v") == "b" },
	},
	"PriorityClass": {
		before: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 1\n", after: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 2\n",
		path:    "apis/scheduling.k8s.io/v1/priorityclasses/NAME",
		options: engine.Options{Replace: []engine.Replace{{Kind: "PriorityClass", Policy: engine.ReplaceRecreate}}},
		want:    func(o map[string]any) bool { return fmt.Sprint(field(o, "value")) == "2" },
	},
	"container renamed": {
		before: web("", "", ""), after: strings.Replace(web("", "", ""), "{name: web, image", "{name: app, image", 1), path: webPath,
		want: func(o map[string]any) bool { return field(container(o), "name") == "app" },
	},
	"list in another order": {
		before: web("", "", ", env: [{name: A, value: a}, {name: B, value: b}]"), after: web("", "", ", env: [{name: B, value: b}, {name: A, value: a}]"), path: webPath,
		want: func(o map[string]any) bool { return names(items(container(o), "env")) == "B=b A=a" },
	},
	"annotation leaves": {
		before: config(", annotations: {a: b}", "{a: b}"), after: config("", "{a: b}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "metadata", "annotations", "a") == nil && o != nil },
	},
	"object renamed": {
		before: strings.Replace(config("", "{a: b}"), "name: c", "name: old", 1), after: config("", "{a: b}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "b" },
	},
	"back after an edit": {
		before: web("", "", ""), after: web("", "", ", args: [a]"), path: webPath, rollback: true, release: force,
		byHand: patch(webPath, types.StrategicMergePatchType, `{"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"web","image":"other:1"}]}}}}`),
		want: func(o map[string]any) bool {
			return field(container(o), "image") == "web:1" && fmt.Sprint(field(o, "spec", "replicas")) == "1" && field(container(o), "args") == nil
		},
	},
	"egress leaves a policy": {
		before: policy(", egress: [{}]"), after: policy(""), path: policyPath,
		want: func(o map[string]any) bool { return fmt.Sprint(field(o, "spec", "policyTypes")) == "[Ingress]" },
	},
	"egress comes to a policy": {
		before: policy(""), after: policy(", egress: [{}]"), path: policyPath,
		want: func(o map[string]any) bool {
			return fmt.Sprint(field(o, "spec", "policyTypes")) == "[Ingress Egress]"
		},
	},
	"daemons are updated by hand": {
		before: daemons(""), after: daemons("updateStrategy: {type: OnDelete}, "), path: "apis/apps/v1/namespaces/NAME/daemonsets/d",
		want: func(o map[string]any) bool {
			return field(o, "spec", "updateStrategy", "type") == "OnDelete" && field(o, "spec", "updateStrategy", "rollingUpdate") == nil
		},
	},
	"strategy leaves": {
		before: web("strategy: {type: Recreate}", "", ""), after: web("", "", ""), path: webPath,
		want: func(o map[string]any) bool { return field(o, "spec", "strategy", "type") == "RollingUpdate" },
	},
	"parameters of the strategy leave": {
		before: web("strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", "", ""), after: web("strategy: {rollingUpdate: {maxSurge: 3}}", "", ""), path: webPath,
		want: func(o map[string]any) bool {
			r := field(o, "spec", "strategy", "rollingUpdate")
			return fmt.Sprint(field(r, "maxSurge")) == "3" && field(r, "maxUnavailable") == "25%"
		},
	},
	"external name becomes a cluster IP": {
		before: service("{type: ExternalName, externalName: a.example.com}"), after: service("{ports: [{port: 80}]}"), path: servicePath,
		want: func(o map[string]any) bool {
			return field(o, "spec", "type") == "ClusterIP" && field(o, "spec", "externalName") == nil
		},
	},
	"service account leaves": {
		before: web("", "serviceAccountName: a, ", ""), after: web("", "", ""), path: webPath,
		want: func(o map[string]any) bool {
			pod := field(o, "spec", "template", "spec")
			return field(pod, "serviceAccountName") == nil && field(pod, "serviceAccount") == nil
		},
	},
	"service account by its old name": {
		before: web("", "serviceAccount: a, ", ""), after: web("", "serviceAccount: b, ", ""), path: webPath,
		want: func(o map[string]any) bool {
			return field(o, "spec", "template", "spec", "serviceAccountName") == "b"
		},
	},
	"tag becomes the latest": {
		before: web("", "", ""), after: strings.Replace(web("", "", ""), "web:1", "web:latest", 1), path: webPath,
		want: func(o map[string]any) bool { return field(container(o), "imagePullPolicy") == "Always" },
	},
	"container renamed by hand": {
		before: web("", "", ""), after: web("", "", ", args: [a]"), path: webPath, release: force,
		byHand: patch(webPath, types.JSONPatchType, `[{"op":"replace","path":"/spec/template/spec/containers/0/name","value":"app"}]`),
		want:   func(o map[string]any) bool { return field(container(o), "name") == "web" },
	},
	"variable renamed by hand": {
		before: web("", "", ", env: [{name: A, value: x}]"), after: web("", "", ", env: [{name: A, value: x}], args: [a]"), path: webPath, release: force,
		byHand: patch(webPath, types.JSONPatchType, `[{"op":"replace","path":"/spec/template/spec/containers/0/env/0/name","value":"B"}]`),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=x" },
	},
	"variable twice by hand": {
		before: web("", "", ", env: [{name: A, value: x}]"), after: web("", "", ", env: [{name: A, value: z}]"), path: webPath, release: force,
		byHand: patch(webPath, types.JSONPatchType, `[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"A","value":"y"}}]`),
		want:   func(o map[string]any) bool { return names(items(container(o), "env")) == "A=z" },
	},
	"duplicates of a volume mount leave": {
		before: web("", "volumes: [{name: v}], ", ", volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /b}]"), after: web("", "volumes: [{name: v}], ", ", volumeMounts: [{name: v, mountPath: /b}]"), path: webPath,
		want: func(o map[string]any) bool { return len(items(container(o), "volumeMounts")) == 1 },
	},
	"emptied mapping of pods": {
		before: web("", "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}}, ", ""), after: web("", "affinity: {}, ", ""), path: webPath,
		want: func(o map[string]any) bool { return isEmptyMap(field(o, "spec", "template", "spec", "affinity")) },
	},
	"emptied labels": {
		before: config(", labels: {a: b}", "{a: b}"), after: config(", labels: {}", "{a: b}"), path: configPath,
		want: func(o map[string]any) bool { return o != nil && field(o, "metadata", "labels", "a") == nil },
	},
	"emptied data": {
		before: config("", "{a: b}"), after: config("", "{}"), path: configPath,
		want: func(o map[string]any) bool { return o != nil && field(o, "data", "a") == nil },
	},
	"emptied stringData": {
		before: secret("stringData: {a: one}"), after: secret("stringData: {}"), path: secretPath,
		want: func(o map[string]any) bool { return o != nil && field(o, "data", "a") == nil },
	},
	"data becomes stringData": {
		before: secret("data: {a: b25l, b: b25l}"), after: secret("stringData: {a: two}"), path: secretPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "dHdv" && field(o, "data", "b") == nil },
	},
	"key in data and in stringData": {
		before: secret("data: {a: b25l}\nstringData: {a: two}"), after: secret("data: {a: b25l}"), path: secretPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "b25l" },
	},
	"hook of a probe changes": {
		before: web("", "", ", lifecycle: {preStop: {exec: {command: [a]}}}"), after: web("", "", ", lifecycle: {preStop: {sleep: {seconds: 3}}}"), path: webPath,
		want: func(o map[string]any) bool {
			h := field(container(o), "lifecycle", "preStop")
			return field(h, "sleep") != nil && field(h, "exec") == nil
		},
	},
	"volume changes its source": {
		before: web("", "volumes: [{name: v, secret: {secretName: a}}], ", ""), after: web("", "volumes: [{name: v, hostPath: {path: /x}}], ", ""), path: webPath,
		want: func(o map[string]any) bool {
			v := items(o, "spec", "template", "spec", "volumes")
			return len(v) == 1 && field(v[0], "hostPath") != nil && field(v[0], "secret") == nil
		},
	},
	"disruption budget changes its limit": {
		before: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n",
		after:  "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {maxUnavailable: 1, selector: {matchLabels: {a: b}}}\n", path: "apis/policy/v1/namespaces/NAME/poddisruptionbudgets/p",
		want: func(o map[string]any) bool {
			return field(o, "spec", "minAvailable") == nil && fmt.Sprint(field(o, "spec", "maxUnavailable")) == "1"
		},
	},
	"autoscaler of v1 with a behavior becomes v2": {
		before: "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 9, behavior: {scaleDown: {stabilizationWindowSeconds: 5}}, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n",
		after:  "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 8, targetCPUUtilizationPercentage: 40, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n", path: scalerPath,
		want: func(o map[string]any) bool {
			return fmt.Sprint(field(o, "spec", "maxReplicas")) == "8" && field(o, "spec", "behavior") == nil
		},
	},
	"null by schema of a custom resource": {
		before: thing("{automated: {prune: true}, maybe: x}"), after: thing("{automated: null, maybe: null}"), path: thingPath,
		want: func(o map[string]any) bool {
			m, _ := field(o, "spec").(map[string]any)
			v, kept := m["maybe"]
			return m["automated"] == nil && kept && v == nil
		},
	},
	"a quota lifted by a smaller chart": {
		before: config("", "{a: b}") + "---\n" + service("{ports: [{port: 80}]}"), after: config("", "{a: c}"), path: configPath,
		byHand: func(p *place) error {
			return p.create(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: tight}\nspec: {hard: {count/services: '0'}}\n")
		},
		options: engine.Options{}, release: func(r *engine.Release) { r.UnsafePrune = true },
		want: func(o map[string]any) bool { return field(o, "data", "a") == "c" },
	},
	"a quota that the new chart has room under": {
		before: service("{ports: [{port: 80}]}"), after: strings.Replace(service("{ports: [{port: 80}]}"), "name: s", "name: new", 1), path: "api/v1/namespaces/NAME/services/new",
		byHand: func(p *place) error {
			return p.create(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: roomy}\nspec: {hard: {count/services: '2'}}\n")
		},
		release: func(r *engine.Release) { r.UnsafePrune = true },
		want:    func(o map[string]any) bool { return o != nil },
	},
	"again after a failure": {
		before: config("", "{a: b}"), fails: config("", "{a: c}") + "---\n" + service("{ports: [{port: 0}]}"), after: config("", "{a: d}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "d" },
	},
}
