package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// object reads a live object, by its path below the namespace or the group, such
// as "apps/v1/deployments/web".
func (f *fixture) object(path string) map[string]any {
	f.Helper()
	data, err := f.client.CoreV1().RESTClient().Get().AbsPath(f.path(path)).DoRaw(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		f.Fatal(err)
	}
	return out
}

// clusterScoped are resources that are in no namespace.
var clusterScoped = map[string]bool{
	"clusterroles": true, "clusterrolebindings": true, "priorityclasses": true, "storageclasses": true, "csidrivers": true,
	"volumeattributesclasses": true, "runtimeclasses": true, "ingressclasses": true, "persistentvolumes": true,
	"validatingwebhookconfigurations": true, "validatingadmissionpolicybindings": true, "prioritylevelconfigurations": true,
}

func (f *fixture) path(path string) string {
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "v1" && clusterScoped[parts[1]]:
		return "/api/" + path
	case clusterScoped[parts[min(2, len(parts)-1)]]:
		return "/apis/" + path
	}
	if parts[0] == "v1" {
		return "/api/v1/namespaces/" + f.namespace + "/" + strings.Join(parts[1:], "/")
	}
	return "/apis/" + parts[0] + "/" + parts[1] + "/namespaces/" + f.namespace + "/" + strings.Join(parts[2:], "/")
}

// change patches a live object under another manager's name.
func (f *fixture) change(path, manager string, kind types.PatchType, patch string) {
	f.Helper()
	err := f.client.CoreV1().RESTClient().Patch(kind).AbsPath(f.path(path)).Param("fieldManager", manager).Body([]byte(patch)).Do(f.ctx).Error()
	if err != nil {
		f.Fatal(err)
	}
}

// settled checks that a second deploy writes nothing, and that there is no
// drift.
func (f *fixture) settled(r engine.Release) {
	f.Helper()
	f.requests.Reset()
	if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
		f.Errorf("the second deploy: %v", err)
	}
	if w := f.writes(); len(w) > 0 {
		f.Errorf("the second deploy writes %v", w)
	}
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range report.Changes {
		if c.Changed() {
			f.Errorf("drift: %s %s %v", c.Action, c.Object, c.Fields)
		}
	}
}

func at(v any, path ...string) any {
	out, _, _ := unstructured.NestedFieldNoCopy(v.(map[string]any), path...)
	return out
}

func first(v any) any {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

const (
	plainDeployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  %s\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'web:1'%s}]}\n"
	webPath         = "apps/v1/deployments/web"
)

// What the manifest asks for is live after the deploy, whatever stood in the way.
func TestAppliedMeansApplied(t *testing.T) {
	deployment := func(spec, container string) string { return fmt.Sprintf(plainDeployment, spec, container) }
	container := func(o map[string]any) map[string]any {
		c, _ := first(at(o, "spec", "template", "spec", "containers")).(map[string]any)
		return c
	}
	for name, c := range map[string]struct {
		before, after string
		edit          func(f *fixture)
		force         bool
		path          string
		want          func(o map[string]any) bool
	}{
		"an emptied mapping": {
			before: deployment("", ", securityContext: {runAsUser: 1}"), after: deployment("", ", securityContext: {}"), path: webPath,
			want: func(o map[string]any) bool {
				v, ok := container(o)["securityContext"].(map[string]any)
				return ok && len(v) == 0
			},
		},
		"null is absent": {
			before: deployment("", ""), after: deployment("", ", readinessProbe: null, env: [{name: A, value: null}]"), path: webPath,
			want: func(o map[string]any) bool {
				return container(o)["readinessProbe"] == nil && container(o)["env"] != nil
			},
		},
		"null removes what was applied": {
			before: deployment("", ", readinessProbe: {tcpSocket: {port: 80}}"), after: deployment("", ", readinessProbe: null"), path: webPath,
			want: func(o map[string]any) bool { return container(o)["readinessProbe"] == nil },
		},
		"a default that excludes what is wanted": {
			before: deployment("", ""), after: deployment("strategy: {type: Recreate}", ""), path: webPath,
			want: func(o map[string]any) bool {
				return at(o, "spec", "strategy", "type") == "Recreate" && at(o, "spec", "strategy", "rollingUpdate") == nil
			},
		},
		"a default of a volume that gets a source": {
			before: strings.Replace(deployment("", ""), "spec: {containers", "spec: {volumes: [{name: v}], containers", 1),
			after:  strings.Replace(deployment("", ""), "spec: {containers", "spec: {volumes: [{name: v, configMap: {name: c}}], containers", 1), path: webPath,
			want: func(o map[string]any) bool {
				v := first(at(o, "spec", "template", "spec", "volumes"))
				return at(v, "configMap", "name") == "c" && at(v, "emptyDir") == nil
			},
		},
		"a key leaves stringData": {
			before: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: one, b: two}\n", after: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: one}\n", path: "v1/secrets/s",
			want: func(o map[string]any) bool { return at(o, "data", "a") == "b25l" && at(o, "data", "b") == nil },
		},
		"what only the API server sets is left out": {
			before: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n",
			after:  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, resourceVersion: '17', uid: 12345678-1234-1234-1234-123456789012, managedFields: [{manager: kubectl}]}\ndata: {a: c}\n", path: "v1/configmaps/c",
			want: func(o map[string]any) bool { return at(o, "data", "a") == "c" },
		},
		"a port's number changed by hand, with Force": {
			before: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: h, port: 80}]}\n", after: "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {v: b}}\nspec: {ports: [{name: h, port: 80}]}\n", path: "v1/services/s",
			edit: func(f *fixture) {
				f.change("v1/services/s", "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`)
			}, force: true,
			want: func(o map[string]any) bool {
				ports, _ := at(o, "spec", "ports").([]any)
				return len(ports) == 1 && at(ports[0], "port") == int64(80) || len(ports) == 1 && at(ports[0], "port") == float64(80)
			},
		},
		"a union member swapped by hand, with Force": {
			before: deployment("", ", env: [{name: A, value: x}]"), after: deployment("", ", env: [{name: A, value: other}]"), path: webPath,
			edit: func(f *fixture) {
				f.change(webPath, "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/template/spec/containers/0/env/0","value":{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}}]`)
			}, force: true,
			want: func(o map[string]any) bool {
				e := first(container(o)["env"])
				return at(e, "value") == "other" && at(e, "valueFrom") == nil
			},
		},
		"a limit swapped for the one that excludes it, with Force": {
			before: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {minAvailable: 1, selector: {matchLabels: {a: b}}}\n", after: "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {minAvailable: 2, selector: {matchLabels: {a: b}}}\n", path: "policy/v1/poddisruptionbudgets/p",
			edit: func(f *fixture) {
				f.change("policy/v1/poddisruptionbudgets/p", "kubectl-edit", types.JSONPatchType, `[{"op":"remove","path":"/spec/minAvailable"},{"op":"add","path":"/spec/maxUnavailable","value":1}]`)
			}, force: true,
			want: func(o map[string]any) bool {
				return fmt.Sprint(at(o, "spec", "minAvailable")) == "2" && at(o, "spec", "maxUnavailable") == nil
			},
		},
		"a key moved to binaryData by hand, with Force": {
			before: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n", after: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: c}\n", path: "v1/configmaps/c",
			edit: func(f *fixture) {
				f.change("v1/configmaps/c", "kubectl-edit", types.JSONPatchType, `[{"op":"remove","path":"/data"},{"op":"add","path":"/binaryData","value":{"a":"b25l","theirs":"b25l"}}]`)
			}, force: true,
			want: func(o map[string]any) bool { return at(o, "data", "a") == "c" && at(o, "binaryData", "a") == nil },
		},
		"a node port taken by hand, with Force": {
			before: "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, ports: [{name: h, port: 80, nodePort: 31987}]}\n", after: "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {v: b}}\nspec: {type: NodePort, ports: [{name: h, port: 80, nodePort: 31987}]}\n", path: "v1/services/s",
			edit: func(f *fixture) {
				f.change("v1/services/s", "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/ports","value":[{"name":"i","port":81,"nodePort":31987}]}]`)
			}, force: true,
			want: func(o map[string]any) bool {
				ports, _ := at(o, "spec", "ports").([]any)
				return len(ports) == 1 && at(ports[0], "name") == "h"
			},
		},
		"characters that YAML has not": {
			before: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n", after: `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: "\ufeffx\x7f\x85y\uffff\x9f \u00e9"}}`, path: "v1/configmaps/c",
			want: func(o map[string]any) bool { return at(o, "data", "a") == "\ufeffx\x7f\u0085y\uffff\u009f é" },
		},
		"an object whose managedFields were cleared": {
			before: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b, gone: x}\n", after: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: c}\n", path: "v1/configmaps/c",
			edit: func(f *fixture) {
				f.change("v1/configmaps/c", "restore", types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
			},
			want: func(o map[string]any) bool { return at(o, "data", "a") == "c" && at(o, "data", "gone") == nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"x.yaml": c.before})), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if c.edit != nil {
				c.edit(f)
			}
			r := f.release(f.chart(map[string]string{"x.yaml": c.after}))
			r.Force = c.force
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if o := f.object(c.path); !c.want(o) {
				text, _ := json.MarshalIndent(o, "", " ")
				t.Errorf("live is\n%s", text)
			}
			f.settled(r)
		})
	}
}

// An autoscaler that leaves decides about nothing any more.
func TestAnAutoscalerThatLeaves(t *testing.T) {
	scaler := "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
	with := fmt.Sprintf(strings.Replace(plainDeployment, "  replicas: 1\n", "", 1), "", "")
	without := strings.Replace(fmt.Sprintf(plainDeployment, "", ""), "replicas: 1", "replicas: 2", 1)
	for name, byHand := range map[string]bool{"in the same plan": false, "deleted by hand before": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"web.yaml": with, "hpa.yaml": scaler})), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			f.scale("web", "kube-controller-manager", 5)
			if byHand {
				if err := f.client.AutoscalingV2().HorizontalPodAutoscalers(f.namespace).Delete(f.ctx, "h", metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			r := f.release(f.chart(map[string]string{"web.yaml": without}))
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if n := f.replicas("web"); n != 2 {
				t.Errorf("%d replicas", n)
			}
			f.settled(r)
		})
	}
}

// The rules of an aggregated ClusterRole are the controller's.
func TestAggregatedClusterRole(t *testing.T) {
	f := newFixture(t)
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NAME, labels: {v: 'TAG'}}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {to: NAME}}]}\nrules: []\n---\n" +
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NAME-part, labels: {to: NAME}}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n"
	chart := func(v string) engine.Release {
		return f.release(f.chart(map[string]string{"role.yaml": strings.NewReplacer("NAME", f.namespace, "TAG", v).Replace(role)}))
	}
	defer func() {
		if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
			t.Error(err)
		}
	}()
	f.deploy(chart("1"))
	path := "rbac.authorization.k8s.io/v1/clusterroles/" + f.namespace
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if rules, _ := at(f.object(path), "rules").([]any); len(rules) != 1 {
			return fmt.Errorf("rules are %v", rules)
		}
		return nil
	})
	f.settled(chart("1"))
	f.deploy(chart("2"))
	if rules, _ := at(f.object(path), "rules").([]any); len(rules) != 1 {
		t.Errorf("rules are %v", rules)
	}
	f.settled(chart("2"))
}

// A rollback takes what others changed while the release was failing, and with
// Force whatever they changed.
func TestTheWayBackIsNotBlocked(t *testing.T) {
	f := newFixture(t)
	good := f.release(f.chart(map[string]string{"web.yaml": deployment}), "tag=1.0", "replicas=2")
	f.deploy(good)
	bad := f.release(f.chart(map[string]string{"web.yaml": deployment, "broken.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: broken}\nspec: {backoffLimit: 0, template: {metadata: {annotations: {fairlead.dev/pod: crash-loop}}, spec: {restartPolicy: Never, containers: [{name: web, image: 'job:1'}]}}}\n"}), "tag=2.0", "replicas=2")
	var not *engine.NotReadyError
	if _, err := f.engine.Deploy(f.ctx, bad, engine.ApplyOptions{}); !errors.As(err, &not) {
		t.Fatal(err)
	}
	f.edit("deployments", "shop", "kubectl-set-image", `{"spec":{"replicas":3}}`)
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatalf("after a failure: %v", err)
	}
	if n := f.replicas("shop"); n != 2 {
		t.Errorf("%d replicas", n)
	}
	f.deploy(f.release(f.chart(map[string]string{"web.yaml": deployment}), "tag=3.0", "replicas=2"))
	f.edit("deployments", "shop", "kubectl-edit", `{"spec":{"replicas":4}}`)
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "kubectl-edit") {
		t.Errorf("without Force, of a healthy release: %v", err)
	}
	p, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{Force: true})
	if err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if n := f.replicas("shop"); n != 2 {
		t.Errorf("%d replicas", n)
	}
}

// Drift by hand that no apply could undo: a correction does.
func TestACorrectionUndoesWhatever(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: h, port: 80}]}\n"})))
	f.change("v1/services/s", "kubectl-edit", types.JSONPatchType, `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`)
	p, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := p.Report.WriteText(&text, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if p.Err() != nil || !strings.Contains(text.String(), "kubectl-edit") {
		t.Fatalf("%v\n%s", p.Err(), &text)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	ports, _ := at(f.object("v1/services/s"), "spec", "ports").([]any)
	if len(ports) != 1 || fmt.Sprint(at(ports[0], "port")) != "80" {
		t.Errorf("ports are %v", ports)
	}
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil || report.Changes[0].Changed() {
		t.Errorf("drift %v, %v", report.Changes, err)
	}
}

// What may be replaced is, whatever else the API server says against the update.
func TestReplacedInSpiteOfTheUpdatesRefusal(t *testing.T) {
	for name, c := range map[string]struct{ path, before, after string }{
		"headless to NodePort":    {"v1/services/s", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: None, ports: [{port: 80}]}\n", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, ports: [{port: 80}]}\n"},
		"a PriorityClass's value": {"scheduling.k8s.io/v1/priorityclasses/NAME", "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 1\n", "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			chart := func(text, annotation string) engine.Release {
				text = strings.ReplaceAll(text, "NAME", f.namespace)
				return f.release(f.chart(map[string]string{"x.yaml": strings.Replace(text, "metadata: {", "metadata: {annotations: {fairlead.dev/replace: "+annotation+"}, ", 1)}))
			}
			f.deploy(chart(c.before, "recreate"))
			f.deploy(chart(c.after, "recreate"))
			f.settled(chart(c.after, "recreate"))
			if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A custom resource beside its definition is validated before anything is
// written.
func TestACustomResourceBesideItsDefinition(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: rays." + group + "}\nspec: {group: " + group + ", scope: Namespaced, names: {plural: rays, singular: ray, kind: Ray}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {head: {type: object}, size: {type: integer}}}}}}}]}\n"
	ray := "apiVersion: " + group + "/v1\nkind: Ray\nmetadata: {name: r}\nspec: "
	for spec, field := range map[string]string{"{head: [null]}": "spec.head", "{size: many}": "spec.size", "{sise: 1}": "spec.sise"} {
		p := f.plan(f.release(f.chart(map[string]string{"crd.yaml": crd, "ray.yaml": ray + spec + "\n"})))
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	f.deploy(f.release(f.chart(map[string]string{"crd.yaml": crd, "ray.yaml": ray + "{head: null, size: 1}\n"}))) // null is absent
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

// A number that the API server would cut off is refused before.
func TestANumberThatDoesNotFit(t *testing.T) {
	f := newFixture(t)
	p := f.plan(f.release(f.chart(map[string]string{"web.yaml": strings.Replace(fmt.Sprintf(plainDeployment, "", ""), "replicas: 1", "replicas: 99999999999", 1)})))
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "spec.replicas is 99999999999") {
		t.Errorf("%v", err)
	}
}
