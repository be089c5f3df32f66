package engine_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/internal/testcluster/shape"
)

var (
	fidelitySeed  = flag.Uint64("fidelity.seed", 1, "the first seed of TestPlansAreFaithful")
	fidelitySeeds = flag.Uint64("fidelity.seeds", 9, "how many histories TestPlansAreFaithful draws")
	fidelitySteps = flag.Int("fidelity.steps", 56, "how many steps each has")
)

// faithfulShape is an object of a release, drawn by [shape.Draw].
type faithfulShape struct {
	resource schema.GroupVersionResource
	text     string
}

var faithfulShapes = []faithfulShape{
	{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, `
apiVersion: v1
kind: ConfigMap
metadata:
  name: text
  labels: {tier: "{1|2}"} #?
  annotations: #?
    example.com/note: "{a|b}"
data: #?
  a: "{1|2}" #?
  b.c: "{1|2}" #?
  d: "{1|2}"
binaryData: {raw: {AAAA|AAAB}} #?
`},
	{schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, `
apiVersion: v1
kind: Secret
metadata: {name: key}
type: Opaque #?
data:
  a: {c2VjcmV0LW9uZQ==|c2VjcmV0LXR3bw==} #?
  b: c2VjcmV0LXRocmVl
stringData: {c: {secret-four|secret-five}, d: {x|z}} #?
`},
	{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web, tier: "{1|2}"}
  annotations: #?
    example.com/a: "{1|2}" #?
    example.com/b: "{1|2}"
spec:
  paused: true #?
  replicas: {2|3} #?
  revisionHistoryLimit: {3|4} #?
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: {1|2}}} #?
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: {0|1} #?
      affinity: {EMPTY|NONE} #?
      nodeSelector: {EMPTY|NONE|DISK} #?
      hostAliases: [{ip: 10.0.0.1, hostnames: [{a|b}]}, {ip: 10.0.0.2, hostnames: [c]}] #?
      tolerations: [{key: "{a|b}", operator: Exists}] #?
      containers:
      - name: a
        image: {a:1|a:2}
        args: [{v|w}, z] #?
        ports: [{containerPort: 80}, {containerPort: {53|54}, protocol: UDP}] #?
        env: #?
        - {name: A, value: "{1|2}"} #?
        - {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}} #?
        - {name: URL, value: "db://u:{secret-four|secret-five}@db"} #?
        - {name: C, value: "{1|2}"}
        resources: {limits: {cpu: {1000m|500m}, memory: 1Gi}} #?
        livenessProbe: {httpGet: {path: /, port: {80|81}}} #?
        readinessProbe: {NONE|PROBE} #?
        securityContext: {EMPTY|NONE|USER} #?
        volumeMounts: [{name: v, mountPath: /v}] #?
      - {name: b, image: {b:1|b:2}} #?
      volumes:
      - {name: v, emptyDir: {}}
      - {name: p, projected: {sources: [{serviceAccountToken: {path: t}}]}} #?
      - {name: c, configMap: {name: {c|d}, optional: true}} #?
`},
	{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data}
spec:
  replicas: {0|1}
  serviceName: data
  minReadySeconds: {1|2} #?
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: a, image: {a:1|a:2}, volumeMounts: [{name: d, mountPath: /d}]}
  volumeClaimTemplates:
  - metadata: {name: d}
    spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`},
	{schema.GroupVersionResource{Version: "v1", Resource: "services"}, `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: {ClusterIP|NodePort} #?
  ports:
  - {name: a, port: 80, targetPort: {8080|8081}}
  - {name: b, port: 53, protocol: UDP} #?
  - {name: c, port: 53} #?
  selector: {app: {web|data}}
  sessionAffinity: {None|ClientIP} #?
`},
	{schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 1 #?
  maxReplicas: {8|9}
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: #?
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: {50|60}}}}
`},
	{schema.GroupVersionResource{Group: "fidelity.example.com", Version: "v1", Resource: "widgets"}, `
apiVersion: fidelity.example.com/v1
kind: Widget
metadata: {name: widget}
spec:
  kind: gear
  size: {1|2} #?
  parts: #?
  - {id: a, weight: {1|2}} #?
  - {id: b}
  - {id: c, weight: {3|4}, more: {a: {1|2}}} #?
  tags: [x, {v|z}] #?
  whole: [{v|w}] #?
  free: {k: {v|w}, n: {NONE|x}} #?
  maybe: {NONE|x} #?
  box: {EMPTY|NONE|BOX} #?
`},
}

// faithfulWords are what a shape cannot spell.
var faithfulWords = strings.NewReplacer("EMPTY", "{}", "NONE", "null", "USER", "{runAsUser: 1}", "PROBE", "{tcpSocket: {port: 80}}", "DISK", "{disk: fast}", "BOX", "{a: 1, maybe: null}",
	"APP", "{matchLabels: {app: web}}", "LIMIT", "{sizeLimit: 1Gi}")

const faithfulWidgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.fidelity.example.com}
spec:
  group: fidelity.example.com
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              kind: {type: string}
              size: {type: integer, default: 7}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id]
                items:
                  type: object
                  required: [id]
                  properties:
                    id: {type: string}
                    weight: {type: integer, default: 5}
                    more: {type: object, additionalProperties: {type: integer}}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              whole: {type: array, items: {type: string}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
              maybe: {type: string, nullable: true}
              box: {type: object, properties: {a: {type: integer}, maybe: {type: integer, nullable: true}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    subresources: {status: {}}
`

// TestPlansAreFaithful plans and applies random manifests, while other managers
// edit the same objects in between. At every step the fields that the plan names
// are those that differ afterwards, with the values that it gave.
func TestPlansAreFaithful(t *testing.T) {
	cluster := testcluster.Shared(t)
	dyn := dynamic.NewForConfigOrDie(cluster.Config())
	defineForFaithful(t, dyn, kubernetes.NewForConfigOrDie(cluster.Config()).Discovery().RESTClient())
	for seed := *fidelitySeed; seed < *fidelitySeed+*fidelitySeeds; seed++ {
		shapes, of := faithfulShapes, ""
		if seed%3 == 0 {
			shapes, of = furtherShapes, " of further kinds"
		}
		t.Run(fmt.Sprintf("seed %d%s", seed, of), func(t *testing.T) {
			f := newFixture(t)
			h := &faithful{fixture: f, dyn: dyn, shapes: shapes, g: rand.New(rand.NewPCG(seed, 4)), seen: map[string]int{}}
			for h.step = 1; h.step <= *fidelitySteps; h.step++ {
				h.next()
				if t.Failed() {
					t.Logf("again with: go test -run TestPlansAreFaithful ./engine -fidelity.seed=%d -fidelity.seeds=1 -fidelity.steps=%d", seed, h.step)
					return
				}
			}
			if h.seen["refused"] > *fidelitySteps/4 {
				t.Errorf("%d of %d steps were refused", h.seen["refused"], *fidelitySteps)
			}
			t.Logf("seed %d: %d steps, %v", seed, *fidelitySteps, h.seen)
		})
	}
}

// defineForFaithful creates the definitions of the shapes' custom resources, and
// waits until the API server serves them with their schema.
func defineForFaithful(t *testing.T, dyn dynamic.Interface, server rest.Interface) {
	t.Helper()
	crds := dyn.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, text := range []string{faithfulWidgets, faithfulGadgets} {
		if _, err := crds.Create(t.Context(), fromYAML(t, text), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	testcluster.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		served, err := server.Get().AbsPath("openapi", "v3", "apis", "fidelity.example.com", "v1").Do(ctx).Raw()
		if err != nil {
			return err
		}
		for _, shapes := range [][]faithfulShape{faithfulShapes, furtherShapes} {
			custom := shapes[len(shapes)-1]
			if _, err := dyn.Resource(custom.resource).List(ctx, metav1.ListOptions{}); err != nil {
				return err
			}
			if kind := fromYAML(t, faithfulWords.Replace(shape.Draw(rand.New(rand.NewPCG(1, 1)), custom.text))).GetKind(); !strings.Contains(string(served), `"kind":"`+kind+`"`) {
				return fmt.Errorf("no schema of %s is published yet", kind)
			}
		}
		return nil
	})
}

// faithful is the history of one such release.
type faithful struct {
	*fixture
	dyn    dynamic.Interface
	shapes []faithfulShape
	g      *rand.Rand
	step   int
	last   string // manifest
	log    []string
	seen   map[string]int
}

func (h *faithful) next() {
	h.Helper()
	h.log = nil
	for range h.g.IntN(4) {
		h.meddle()
	}
	if h.last == "" || h.g.IntN(4) > 0 {
		var docs []string
		for _, s := range h.shapes {
			if h.g.IntN(8) > 0 {
				docs = append(docs, faithfulWords.Replace(shape.Draw(h.g, s.text)))
			}
		}
		h.last = strings.Join(docs, "---")
	}
	opts := []engine.Options{
		{}, {ApplySet: true},
		{Ownership: []engine.Ownership{{Manager: "kubectl*", Settle: engine.Take}}},
		{Ownership: []engine.Ownership{{Manager: "kubectl*", Settle: engine.Yield}}},
		{Ownership: []engine.Ownership{{Kind: "Deployment", Path: "spec.template", Settle: engine.Yield}, {Settle: engine.Take}}},
	}[h.g.IntN(5)]
	e := h.newEngineWith(opts)
	r := h.release(h.chart(map[string]string{"all.yaml": h.last}))
	r.Cause = fmt.Sprint("step ", h.g.IntN(3))
	r.Adopt = true
	r.UnsafePrune = true // a random manifest may lose most objects
	p, err := e.Plan(h.ctx, r, engine.PlanOptions{})
	if err != nil {
		h.fail("plan: %v", err)
		return
	}
	if p.Err() != nil {
		h.seen["conflicts"]++
		r.Force = true
		if p, err = e.Plan(h.ctx, r, engine.PlanOptions{}); err != nil {
			h.fail("plan: %v", err)
			return
		}
	}
	if err := p.Err(); err != nil {
		// Such as what remains of a container of which another manager owns a
		// part.
		for _, problem := range p.Problems {
			if problem.Kind != engine.ProblemInvalid {
				h.fail("%v", err)
			}
		}
		h.last = ""
		h.Logf("step %d: refused: %v", h.step, err)
		h.seen["refused"]++
		return
	}
	before := h.snapshot()
	if _, err := e.Apply(h.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
		h.fail("apply: %v", err)
		return
	}
	h.compare(p, before, h.snapshot())
	// What was asked for is there: the same once more changes nothing.
	again, err := e.Plan(h.ctx, r, engine.PlanOptions{})
	if err != nil {
		h.fail("plan again: %v", err)
		return
	}
	for _, c := range again.Report.Changes {
		if c.Changed() {
			h.fail("%s: the same manifest again: %s %v", c.Object, c.Action, c.Fields)
		}
	}
}

func (h *faithful) fail(format string, args ...any) {
	h.Helper()
	h.Errorf("step %d: %s\nothers did: %s\nmanifest:%s", h.step, fmt.Sprintf(format, args...), strings.Join(h.log, "; "), h.last)
}

// snapshot returns all objects of the shapes, by "Kind/name".
func (h *faithful) snapshot() map[string]map[string]any {
	h.Helper()
	out := map[string]map[string]any{}
	for _, s := range h.shapes {
		list, err := h.dyn.Resource(s.resource).Namespace(h.namespace).List(h.ctx, metav1.ListOptions{})
		if err != nil {
			h.Fatal(err)
		}
		for _, u := range list.Items {
			if u.GetLabels()["owner"] != "helm" && u.GetName() != "kube-root-ca.crt" {
				out[u.GetKind()+"/"+u.GetName()] = u.Object
			}
		}
	}
	return out
}

func (h *faithful) compare(p *engine.Plan, before, after map[string]map[string]any) {
	h.Helper()
	changes := map[string]diff.Change{}
	for _, c := range p.Report.Changes {
		changes[c.Object.Kind+"/"+c.Object.Name] = c
	}
	names := map[string]bool{}
	for k := range before {
		names[k] = true
	}
	for k := range after {
		names[k] = true
	}
	for name := range names {
		c := changes[name]
		was, is := before[name], after[name]
		h.seen[string(c.Action)]++
		exists := [2]bool{was != nil, is != nil}
		want := [2]bool{c.Action != diff.Created, c.Action != diff.Deleted}
		if exists != want {
			h.fail("%s: %s, but existed before and after: %v", name, c.Action, exists)
			continue
		}
		if is == nil {
			continue
		}
		real := observed(was, is)
		reported, secrets := reportedBy(c)
		// A list in which an item is twice is reported by the places of its items.
		for _, list := range twiceIn("", nil, was) {
			maps.DeleteFunc(real, func(path string, _ [2]any) bool { return strings.HasPrefix(path, list) })
			maps.DeleteFunc(reported, func(path string, _ [2]any) bool { return strings.HasPrefix(path, list) })
		}
		h.seen["fields"] += len(real)
		for path, v := range real {
			t, ok := reported[path]
			switch {
			case !ok:
				h.fail("%s: %s became %v from %v, and the plan does not say so. It says: %v", name, path, v[1], v[0], reported)
			case secrets[path]:
			case assigned[path[strings.LastIndex(path, ".")+1:]] || strings.HasPrefix(path, "spec.clusterIPs"):
			case fmt.Sprint(t) != fmt.Sprint(v):
				h.fail("%s: %s became %v from %v, and the plan says %v from %v", name, path, v[1], v[0], t[1], t[0])
			}
		}
		for path, t := range reported {
			if _, ok := real[path]; !ok {
				h.fail("%s: the plan says that %s becomes %v from %v, and it does not. What does: %v", name, path, t[1], t[0], real)
			}
		}
		if c.Local {
			h.fail("%s: local", name)
		}
	}
}

// assigned are fields to which the API server assigns values on writes.
var assigned = map[string]bool{"clusterIP": true, "nodePort": true}

// meddle edits one object as another manager.
func (h *faithful) meddle() {
	h.Helper()
	s := h.shapes[h.g.IntN(len(h.shapes))]
	u := fromYAML(h, faithfulWords.Replace(shape.Draw(h.g, s.text)))
	u.SetNamespace(h.namespace)
	objects := h.dyn.Resource(s.resource).Namespace(h.namespace)
	live, err := objects.Get(h.ctx, u.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return
	} else if err != nil {
		h.Fatal(err)
	}
	patch := func(kind types.PatchType, body any, manager string, sub ...string) error {
		data, err := json.Marshal(body)
		if err != nil {
			h.Fatal(err)
		}
		_, err = objects.Patch(h.ctx, u.GetName(), kind, data, metav1.PatchOptions{FieldManager: manager}, sub...)
		return err
	}
	what := []string{"edit", "patch", "unset", "apply", "client-side apply", "scale", "delete", "forget", "reverse", "renumber",
		"duplicate", "rename", "empty", "apply scale", "status"}[h.g.IntN(15)]
	switch what {
	case "edit":
		for k, v := range u.Object {
			m, ok := v.(map[string]any)
			if !ok || k == "metadata" {
				continue
			}
			if have, ok := live.Object[k].(map[string]any); ok {
				for k, v := range m {
					have[k] = v
				}
				continue
			}
			live.Object[k] = v
		}
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "patch":
		body := map[string]any{"metadata": map[string]any{"annotations": map[string]any{
			"example.com/a": fmt.Sprint(h.step), "example.com/foreign": "x",
		}}}
		if data, ok := u.Object["data"]; ok {
			body["data"] = data
		}
		if spec, ok := u.Object["spec"].(map[string]any); ok {
			for _, k := range []string{"minReadySeconds", "size", "parts", "tags", "sessionAffinity", "maxReplicas", "revisionHistoryLimit"} {
				if v, ok := spec[k]; ok {
					body["spec"] = map[string]any{k: v}
				}
			}
		}
		err = patch(types.MergePatchType, body, "kubectl-patch")
	case "unset":
		body := map[string]any{"metadata": map[string]any{"labels": map[string]any{"tier": nil}, "annotations": map[string]any{"example.com/b": nil}}}
		switch u.GetKind() {
		case "ConfigMap", "Secret":
			body["data"] = map[string]any{"a": nil, "c": nil}
		default:
			body["spec"] = map[string]any{"minReadySeconds": nil, "size": nil, "tags": nil, "sessionAffinity": nil, "metrics": nil, "strategy": nil}
		}
		err = patch(types.MergePatchType, body, "kubectl-patch")
	case "apply":
		if u.GetKind() == "Deployment" && h.g.IntN(2) == 0 { // one container of it
			spec := u.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			spec["containers"] = spec["containers"].([]any)[:1]
			delete(spec, "volumes")
			delete(spec["containers"].([]any)[0].(map[string]any), "volumeMounts")
		}
		force := true
		data, _ := json.Marshal(u)
		_, err = objects.Patch(h.ctx, u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "kubectl", Force: &force})
	case "client-side apply":
		last, _ := json.Marshal(u)
		body := u.DeepCopy()
		body.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(last)})
		err = patch(types.MergePatchType, body, "kubectl-client-side-apply")
	case "scale":
		if u.GetKind() != "Deployment" && u.GetKind() != "StatefulSet" {
			return
		}
		err = patch(types.MergePatchType, map[string]any{"spec": map[string]any{"replicas": 1 + h.g.IntN(4)}}, "kubectl", "scale")
	case "delete":
		err = objects.Delete(h.ctx, u.GetName(), metav1.DeleteOptions{})
		testcluster.Eventually(h, 20*time.Second, func(ctx context.Context) error {
			_, err := objects.Get(ctx, u.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("%s is still there: %w", u.GetName(), err)
		})
	case "reverse": // the items of every list
		reverseLists(live.Object["spec"])
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "renumber": // what is a key of an item, or swap a member of a union
		renumber(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "duplicate": // items of lists, with another value
		duplicate(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "rename": // items of lists
		rename(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "empty": // mappings and lists, or null
		empty(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "apply scale":
		if u.GetKind() != "Deployment" && u.GetKind() != "StatefulSet" {
			return
		}
		force := true
		scale := map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": map[string]any{"name": u.GetName(), "namespace": h.namespace}, "spec": map[string]any{"replicas": h.g.IntN(4)}}
		data, _ := json.Marshal(scale)
		_, err = objects.Patch(h.ctx, u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "kubectl-scale", Force: &force}, "scale")
	case "status":
		if u.GetKind() != "Deployment" && u.GetKind() != "Widget" {
			return
		}
		err = patch(types.MergePatchType, map[string]any{"status": map[string]any{"collisionCount": h.step}}, "controller", "status")
	case "forget":
		err = patch(types.JSONPatchType, []any{map[string]any{"op": "replace", "path": "/metadata/managedFields", "value": []any{map[string]any{}}}}, "kubectl")
	}
	outcome := "done"
	if err != nil {
		outcome = fmt.Sprint(apierrors.ReasonForError(err))
		if !slices.Contains([]metav1.StatusReason{metav1.StatusReasonInvalid, metav1.StatusReasonConflict}, apierrors.ReasonForError(err)) {
			h.fail("%s %s: %v", what, u.GetKind(), err)
		}
	}
	h.seen["edits"]++
	h.log = append(h.log, fmt.Sprintf("%s %s %s: %s", what, u.GetKind(), u.GetName(), outcome))
}

func reverseLists(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			reverseLists(below)
		}
	case []any:
		slices.Reverse(v)
		for _, below := range v {
			reverseLists(below)
		}
	}
}

func renumber(v any, g *rand.Rand) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n, isNumber := v[key].(int64)
			switch {
			case isNumber && (key == "port" || key == "containerPort") && g.IntN(2) == 0:
				v[key] = n + 1000
			case key == "value" && v["name"] != nil && g.IntN(2) == 0:
				delete(v, "value")
				v["valueFrom"] = map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.name"}}
			default:
				renumber(v[key], g)
			}
		}
	case []any:
		for _, below := range v {
			renumber(below, g)
		}
	}
}

// faithfulLists are lists whose items others duplicate and rename, with the field
// that names an item.
var faithfulLists = map[string]string{"env": "name", "ports": "name", "paths": "path", "rules": "host", "routes": "path", "backends": "name", "secrets": "name", "imagePullSecrets": "name", "volumes": "name", "numbers": "", "hostAliases": "ip", "parts": "id", "tags": "", "whole": "", "tolerations": "key"}

func duplicate(v any, g *rand.Rand) {
	eachList(v, func(key string, list []any) []any {
		if len(list) == 0 || g.IntN(2) == 0 {
			return list
		}
		again := runtime.DeepCopyJSONValue(list[g.IntN(len(list))])
		if item, ok := again.(map[string]any); ok {
			if delete(item, "nodePort"); item["value"] != nil && g.IntN(2) == 0 {
				item["value"] = "duplicate"
			}
		}
		return append(list, again)
	})
}

func rename(v any, g *rand.Rand) {
	eachList(v, func(key string, list []any) []any {
		for _, item := range list {
			if item, ok := item.(map[string]any); ok && g.IntN(2) == 0 && item[faithfulLists[key]] != nil && key != "hostAliases" {
				item[faithfulLists[key]] = fmt.Sprintf("x-%d", g.IntN(100))
			}
		}
		return list
	})
}

// eachList replaces the lists that change returns, in the order of their names.
func eachList(v any, change func(key string, list []any) []any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if list, ok := v[key].([]any); ok {
				if _, listed := faithfulLists[key]; listed {
					v[key] = change(key, list)
				}
			}
			eachList(v[key], change)
		}
	case []any:
		for _, below := range v {
			eachList(below, change)
		}
	}
}

func empty(v any, g *rand.Rand) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch key {
			case "securityContext", "affinity", "nodeSelector", "free", "box", "limits", "emptyDir":
				if g.IntN(2) == 0 {
					v[key] = map[string]any{}
				}
			case "args", "tags", "whole", "tolerations", "hostAliases", "metrics":
				if g.IntN(2) == 0 {
					v[key] = []any{}
				}
			case "maybe", "readinessProbe", "sessionAffinity", "size":
				if g.IntN(2) == 0 {
					v[key] = nil
				}
			default:
				empty(v[key], g)
			}
		}
	case []any:
		for _, below := range v {
			empty(below, g)
		}
	}
}

func fromYAML(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = u.UnmarshalJSON(data)
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return u
}
