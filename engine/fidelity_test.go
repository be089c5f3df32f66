package engine_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// faithfulWidgets are the fields of Widget's spec.
const faithfulWidgets = `
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
`

// faithfulDefinition defines a custom resource of the shapes by the fields of its
// spec.
func faithfulDefinition(kind, fields string) string {
	lower := strings.ToLower(kind)
	return strings.NewReplacer("PLURAL", lower+"s", "SINGULAR", lower, "KIND", kind).Replace(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.fidelity.example.com}
spec:
  group: fidelity.example.com
  names: {kind: KIND, plural: PLURAL, singular: SINGULAR, listKind: KINDList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
          spec:
            type: object
            properties:`) + fields
}

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
	for kind, fields := range map[string]string{"Widget": faithfulWidgets, "Gadget": faithfulGadgets} {
		if _, err := crds.Create(t.Context(), fromYAML(t, faithfulDefinition(kind, fields)), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
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
			case isUnknownLeaf(t[1]) && v[1] != nil && (assigned[path[strings.LastIndex(path, ".")+1:]] || strings.HasPrefix(path, "spec.clusterIPs")):
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

// isUnknownLeaf reports whether a leaf is shown as unknown.
func isUnknownLeaf(v any) bool { return v == `{"fairlead.dev/unknown":true}` }

// assigned are fields whose values the API server chooses on writes.
var assigned = map[string]bool{"clusterIP": true, "nodePort": true}

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
