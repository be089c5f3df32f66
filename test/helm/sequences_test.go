package helm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// sequence is two deploys of a chart with something done by hand in between, and
// what the second chart asks for. NAME in a text is a name of its own.
type sequence struct {
	before, after string
	byHand        func(p *place) error // nil: nothing
	rollback      bool                 // to the first chart, instead of a third deploy
	fails         string               // deployed in between, and fails
	path          string               // of the object that is looked at
	want          func(o map[string]any) bool
	// The engine's documented way where it differs from Helm's.
	options engine.Options
	release func(*engine.Release)
}

func force(r *engine.Release) { r.Force = true }

const (
	sequenceWeb = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  %s\n  template:\n    metadata: {labels: {app: web}}\n    spec: {%scontainers: [{name: web, image: 'web:1'%s}]}\n"
	sequenceJob = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j%s}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:%s'}]}}}\n"
	webPath     = "apis/apps/v1/namespaces/NAME/deployments/web"
	servicePath = "api/v1/namespaces/NAME/services/s"
	configPath  = "api/v1/namespaces/NAME/configmaps/c"
	secretPath  = "api/v1/namespaces/NAME/secrets/s"
	thingPath   = "apis/sequences.example.com/v1/namespaces/NAME/things/t"
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
		before: config("", "{a: b}") + "---\n" + strings.Replace(service("{ports: [{port: 80}]}"), "name: s", "name: s, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}", 1),
		after:  config("", "{a: b}") + "---\n" + service("{ports: [{port: 81}]}"), path: servicePath,
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
	"again after a failure": {
		before: config("", "{a: b}"), fails: config("", "{a: c}") + "---\n" + service("{ports: [{port: 0}]}"), after: config("", "{a: d}"), path: configPath,
		want: func(o map[string]any) bool { return field(o, "data", "a") == "d" },
	},
}

// patch changes an object by hand.
func patch(path string, kind types.PatchType, text string) func(*place) error {
	return func(p *place) error {
		return p.client.CoreV1().RESTClient().Patch(kind).AbsPath(p.name(path)).Param("fieldManager", "kubectl-edit").Body([]byte(text)).Do(p.ctx).Error()
	}
}

// place is where one tool plays a sequence: a namespace, and a chart's folder.
type place struct {
	ctx       context.Context
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	namespace string
	folder    string
}

func (p *place) name(text string) string { return strings.ReplaceAll(text, "NAME", p.namespace) }

func (p *place) create(r schema.GroupVersionResource, text string) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		return err
	}
	_, err := p.dynamic.Resource(r).Namespace(p.namespace).Create(p.ctx, u, metav1.CreateOptions{})
	return err
}

func (p *place) write(manifest string) error {
	files := map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: " + releaseName + "\nversion: 1.0.0\n", "templates/x.yaml": p.name(manifest),
	}
	for name, text := range files {
		file := filepath.Join(p.folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// live is an object at the end; nil if it does not exist.
func (p *place) live(path string) (map[string]any, error) {
	data, err := p.client.CoreV1().RESTClient().Get().AbsPath("/" + p.name(path)).DoRaw(p.ctx)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(data, &out)
}

// tool is what deploys: Helm or the engine.
type tool struct {
	install, upgrade func() error
	rollback         func() error // to the first revision
}

// play plays the sequence, and returns the error of its last step.
func (s sequence) play(p *place, t tool) error {
	if err := errors.Join(p.write(s.before), t.install()); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if s.rollback {
		if err := errors.Join(p.write(s.after), t.upgrade()); err != nil {
			return fmt.Errorf("upgrade: %w", err)
		}
	}
	if s.byHand != nil {
		if err := s.byHand(p); err != nil {
			return fmt.Errorf("by hand: %w", err)
		}
	}
	if s.rollback {
		return t.rollback()
	}
	if s.fails != "" {
		if err := errors.Join(p.write(s.fails), t.upgrade()); err == nil {
			return errors.New("what should fail did not")
		}
	}
	return errors.Join(p.write(s.after), t.upgrade())
}

// Sequences from public reports, each played by Helm 3 and by the engine: where
// Helm ends in the state that the chart asks for, so does the engine.
func TestSequencesAsHelmEndsThem(t *testing.T) {
	testcluster.Need(t)
	cluster := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	things := defineThings(ctx, t, cluster)
	var mu sync.Mutex
	var table []string
	t.Run("each", func(t *testing.T) {
		for name, s := range sequences {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ends := map[string]bool{}
				texts := []string{fmt.Sprintf("%-45s", name)}
				for _, who := range []string{"Helm", "engine"} {
					p := &place{
						ctx: ctx, client: kubernetes.NewForConfigOrDie(cluster.Config()), dynamic: things, namespace: cluster.Namespace(t), folder: t.TempDir(),
					}
					played, undo, err := s.playedBy(p, who, cluster)
					if err != nil {
						t.Fatal(err)
					}
					o, err := p.live(s.path)
					if strings.Contains(s.before, "NAME") { // what is cluster-scoped; the rest goes with its namespace
						err = errors.Join(err, undo())
					}
					if err != nil {
						t.Fatal(err)
					}
					ends[who] = o != nil && s.want(o)
					text := fmt.Sprintf("%s: %v", who, ends[who])
					if played != nil {
						text += " (" + first(played.Error()) + ")"
					}
					texts = append(texts, text)
				}
				if ends["Helm"] && !ends["engine"] {
					t.Errorf("only Helm ends as the chart asks for: %s", strings.Join(texts, "; "))
				}
				mu.Lock()
				defer mu.Unlock()
				table = append(table, strings.Join(texts, "; "))
			})
		}
	})
	slices.Sort(table)
	t.Log("ends as the chart asks for:\n" + strings.Join(table, "\n"))
}

func first(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 160)]
}

// playedBy plays the sequence by one tool. played is the error of the tool, and
// undo removes what it has left.
func (s sequence) playedBy(p *place, who string, cluster *testcluster.Cluster) (played error, undo func() error, err error) {
	if who == "Helm" {
		h, err := openHelm3(cluster.Kubeconfig, p.namespace)
		if err != nil {
			return nil, nil, err
		}
		return s.play(p, helmTool(p, h)), h.uninstall, nil
	}
	e, err := engine.New(cluster.Config(), s.options)
	if err != nil {
		return nil, nil, err
	}
	key := engine.Key{Namespace: p.namespace, Name: releaseName}
	return s.play(p, engineTool(p, e, s.release)), func() error { return e.Uninstall(p.ctx, key, engine.ApplyOptions{NoHooks: true}) }, nil
}

func helmTool(p *place, h helm) tool {
	return tool{
		install:  func() error { return h.install(p.ctx, p.folder, nil) },
		upgrade:  func() error { return h.upgrade(p.ctx, p.folder, nil) },
		rollback: func() error { return h.rollback(1) },
	}
}

// engineTool deploys with the engine, without waiting, as Helm does; change is
// applied to the release unless it is nil.
func engineTool(p *place, e *engine.Engine, change func(*engine.Release)) tool {
	key, opts := engine.Key{Namespace: p.namespace, Name: releaseName}, engine.ApplyOptions{NoWait: true}
	deploy := func() error {
		c, err := render.LoadFS(os.DirFS(p.folder))
		if err != nil {
			return err
		}
		r := engine.Release{Key: key, Source: c}
		if change != nil {
			change(&r)
			opts.Force = r.Force
		}
		_, err = e.Deploy(p.ctx, r, opts)
		return err
	}
	return tool{install: deploy, upgrade: deploy, rollback: func() error {
		_, err := e.Rollback(p.ctx, key, 1, opts)
		return err
	}}
}

// defineThings creates the definition of a custom resource, and waits until it is
// served.
func defineThings(ctx context.Context, t *testing.T, cluster *testcluster.Cluster) dynamic.Interface {
	t.Helper()
	client := dynamic.NewForConfigOrDie(cluster.Config())
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.sequences.example.com}\nspec: {group: sequences.example.com, scope: Namespaced, names: {plural: things, singular: thing, kind: Thing}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {list: {type: array, items: {type: string}}, automated: {type: object, properties: {prune: {type: boolean}}}}}}}}}]}\n"), &u.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := crds.Create(ctx, u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crds.Delete(context.Background(), u.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := client.Resource(schema.GroupVersionResource{Group: "sequences.example.com", Version: "v1", Resource: "things"}).List(ctx, metav1.ListOptions{})
		return err
	})
	return client
}
