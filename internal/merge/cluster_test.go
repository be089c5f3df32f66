package merge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/internal/testcluster/shape"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

// server is the API server whose results are expected.
type server struct {
	t      *testing.T
	client dynamic.Interface
	mapper meta.RESTMapper
	disco  discovery.DiscoveryInterface
}

func newServer(t *testing.T) (*server, string) {
	c := testcluster.Shared(t)
	cfg := c.Config()
	cfg.QPS, cfg.Burst = -1, 0
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &server{t, client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco)), disco}, c.Namespace(t)
}

func (s *server) load(_ context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
	paths, err := s.disco.OpenAPIV3().Paths()
	if err != nil {
		return nil, err
	}
	key := "apis/" + gv.String()
	if gv.Group == "" {
		key = "api/" + gv.Version
	}
	p, ok := paths[key]
	if !ok {
		return nil, nil
	}
	data, err := p.Schema("application/json")
	return text(string(data)), err
}

func (s *server) of(u *unstructured.Unstructured) dynamic.ResourceInterface {
	s.t.Helper()
	gvk := u.GroupVersionKind()
	m, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		s.t.Fatal(err)
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return s.client.Resource(m.Resource)
	}
	return s.client.Resource(m.Resource).Namespace(u.GetNamespace())
}

func (s *server) apply(u *unstructured.Unstructured, manager string, force bool, dry ...string) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(u)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.of(u).Patch(s.t.Context(), u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: manager, Force: &force, DryRun: dry})
}

func (s *server) get(u *unstructured.Unstructured) *unstructured.Unstructured {
	live, err := s.of(u).Get(s.t.Context(), u.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return live
}

// shapes are drawn from by [shape.Draw].
var shapes = map[string]string{
	"Deployment": `
apiVersion: apps/v1
kind: Deployment
metadata:
  labels: {app: w}
  annotations: #?
    example.com/a: "{1|2}" #?
    example.com/b: "{1|2}"
spec:
  paused: true
  replicas: {0|1} #?
  revisionHistoryLimit: {3|4} #?
  strategy: {type: {Recreate|RollingUpdate}} #?
  selector: {matchLabels: {app: w}}
  template:
    metadata: {labels: {app: w}}
    spec:
      terminationGracePeriodSeconds: {5|6} #?
      nodeSelector: {none: "{1|2}"}
      containers:
      - name: a
        image: {a:1|a:2}
        args: [{v|w}, z] #?
        ports: [{containerPort: 80}, {containerPort: {53|54}, protocol: UDP}] #?
        env: #?
        - {name: A, value: "{1|2}"} #?
        - {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}} #?
        - {name: C, value: "{1|2}"}
        resources: {limits: {cpu: {1000m|500m}, memory: 1Gi}} #?
        livenessProbe: {httpGet: {path: /, port: {80|81}}} #?
      - {name: b, image: {b:1|b:2}} #?
      volumes: #?
      - {name: v, emptyDir: {}} #?
      - {name: p, projected: {sources: [{serviceAccountToken: {path: t}}]}} #?
      - {name: c, configMap: {name: {c|d}}}
`,
	"StatefulSet": `
apiVersion: apps/v1
kind: StatefulSet
metadata: {}
spec:
  replicas: 0
  serviceName: s
  minReadySeconds: {1|2} #?
  selector: {matchLabels: {app: s}}
  template:
    metadata: {labels: {app: s}}
    spec:
      containers:
      - {name: a, image: {a:1|a:2}, volumeMounts: [{name: d, mountPath: /d}]}
  volumeClaimTemplates:
  - metadata: {name: d}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
	"Service": `
apiVersion: v1
kind: Service
metadata: {}
spec:
  type: {ClusterIP|NodePort} #?
  ports:
  - {name: a, port: 80, targetPort: {8080|8081}}
  - {name: b, port: 53, protocol: UDP} #?
  - {name: c, port: 53} #?
  selector: {app: {w|x}}
  sessionAffinity: {None|ClientIP} #?
`,
	"ConfigMap": `
apiVersion: v1
kind: ConfigMap
metadata: {labels: {a: "{1|2}"}}
data:
  a: "{1|2}" #?
  b.c: "{1|2}" #?
  d: "{1|2}"
`,
	"Secret": `
apiVersion: v1
kind: Secret
metadata: {}
data:
  a: {AAAA|AAAB} #?
  b: AAAA
stringData: {c: {v|w}} #?
`,
	"HPA": `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {}
spec:
  minReplicas: {1|2} #?
  maxReplicas: {3|4}
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}
  metrics: #?
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: {50|60}}}}
`,
	"NetworkPolicy": `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {}
spec:
  podSelector: {matchLabels: {app: {w|x}}}
  ingress: #?
  - {ports: [{port: {80|81}}]}
`,
	"Role": `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {labels: {a: "{1|2}"}} #?
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, {list|watch}]}
`,
	"Widget": `
apiVersion: merge.example.com/v1
kind: Widget
metadata: {}
spec:
  size: {1|2} #?
  parts: #?
  - {id: a, weight: {1|2}} #?
  - {id: b}
  tags: [x, {v|z}] #?
  whole: [{v|w}] #?
  free: {k: {v|w}} #?
`,
}

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.merge.example.com}
spec:
  group: merge.example.com
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
              size: {type: integer, default: 7}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id]
                items: {type: object, required: [id], properties: {id: {type: string}, weight: {type: integer, default: 5}}}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              whole: {type: array, items: {type: string}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// draw returns one random object of a shape.
func draw(t *testing.T, g *rand.Rand, text, namespace, name string) *unstructured.Unstructured {
	u := parse(t, shape.Draw(g, text))
	u.SetName(name)
	u.SetNamespace(namespace)
	return u
}

func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return u
}

// TestAgreesWithServer lets several managers write objects of several kinds in
// random order, and before each apply compares the local merge with the API
// server's dry-run.
func TestAgreesWithServer(t *testing.T) {
	s, namespace := newServer(t)
	if _, err := s.apply(parse(t, widgets), "test", true); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		s.mapper.(*restmapper.DeferredDiscoveryRESTMapper).Reset()
		if _, err := s.mapper.RESTMapping(schema.GroupKind{Group: "merge.example.com", Kind: "Widget"}, "v1"); err != nil {
			return err
		}
		data, err := s.load(ctx, schema.GroupVersion{Group: "merge.example.com", Version: "v1"})
		if err == nil && data == nil {
			err = errors.New("no schema yet")
		}
		return err
	})
	m := New(s.load)
	var stat stats
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				s := *s
				s.t = t
				s.history(m, &stat, shapes[name], namespace, fmt.Sprintf("w%d", seed), seed)
			}
		})
	}
	t.Logf("%d applies with the server's result; %d changed nothing, of which %d were recognized by the merge, %d without a schema; %d conflicts", stat.applies, stat.same, stat.seen, stat.settled, stat.conflicts)
	if stat.settled == 0 {
		t.Error("no apply was recognized as settled")
	}
}

type stats struct{ applies, same, seen, settled, conflicts int }

func (s *server) history(m *Merger, stat *stats, shape, namespace, name string, seed uint64) {
	t := s.t
	t.Helper()
	g := rand.New(rand.NewPCG(seed, 11))
	bases := map[string]*unstructured.Unstructured{}
	for i := range 12 {
		u := draw(t, g, shape, namespace, name)
		manager := []string{"fairlead", "fairlead", "other"}[g.IntN(3)]
		if i > 0 && g.IntN(4) == 0 { // another client edits
			live := s.get(u)
			live.SetAnnotations(map[string]string{"edited": fmt.Sprint(i)})
			if spec, ok := u.Object["spec"].(map[string]any); ok {
				if n, ok := spec["replicas"]; ok {
					_ = unstructured.SetNestedField(live.Object, n, "spec", "replicas")
				}
				if n, ok := spec["size"]; ok {
					_ = unstructured.SetNestedField(live.Object, n, "spec", "size")
				}
			}
			if d, ok := u.Object["data"]; ok {
				live.Object["data"] = d
			}
			if _, err := s.of(u).Update(t.Context(), live, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil && !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
			continue
		}
		if b := bases[manager]; b != nil && g.IntN(4) == 0 {
			u = b.DeepCopy() // the same again
		}
		if s.check(m, stat, u, bases[manager], manager) {
			if _, err := s.apply(u, manager, true); err == nil {
				bases[manager] = u
			}
		}
	}
}

// check compares the local result of an apply with the server's; it reports
// whether the server would accept it at all.
func (s *server) check(m *Merger, stat *stats, u, base *unstructured.Unstructured, manager string) bool {
	t := s.t
	t.Helper()
	var live, forced *unstructured.Unstructured
	var conflict, err error
	for range 20 { // until no controller writes in between
		live = s.get(u)
		_, conflict = s.apply(u, manager, false, metav1.DryRunAll)
		forced, err = s.apply(u, manager, true, metav1.DryRunAll)
		if again := s.get(u); live == nil && again == nil || live != nil && again != nil && live.GetResourceVersion() == again.GetResourceVersion() {
			break
		}
	}
	if apierrors.IsInvalid(err) {
		return false // such as an immutable field, which a merge does not check
	}
	if err != nil {
		t.Fatal(err)
	}
	res, err := m.Merge(t.Context(), Request{Live: live, Desired: u, Base: base, Manager: manager})
	if err != nil {
		t.Fatal(err)
	}
	if live != nil {
		s.checkConflicts(res.Conflicts, conflict)
	}
	stat.applies++
	stat.conflicts += len(res.Conflicts)
	ours, theirs := fieldsOf(t, res.Merged, manager), fieldsOf(t, forced, manager)
	if !ours.Equals(theirs) {
		t.Errorf("%s: fields of %s: locally %s, on the server %s", u.GetName(), manager, ours.Difference(theirs), theirs.Difference(ours))
	}
	// Differences are allowed only where the server added defaults.
	between := compare(t, m, res.Merged, forced)
	for _, f := range between.Fields {
		if f.Live == nil && !isIn(live, f.Path) || within(res.Removed, f.Path) {
			continue
		}
		if l, ok, _ := diff.Lookup(live, f.Path); f.Live == nil && ok && reflect.DeepEqual(l, f.Desired) && wholeDefault(f.Path) {
			continue // a default inside a list replaced as a whole
		}
		if f.Desired == nil && u.GetKind() == "Service" && slices.Contains([]string{"nodePort", "externalTrafficPolicy", "sessionAffinityConfig"}, f.Path[strings.LastIndex(f.Path, ".")+1:]) {
			continue // cleared by the server as the type or affinity changes
		}
		t.Errorf("%s by %s: %s: merged locally %v, by the server %v, live %v", u.GetName(), manager, f.Path, f.Live, f.Desired, lookup(live, f.Path))
	}
	if live != nil && Settled(live, u, manager, func(map[string]any) bool { return false }) {
		stat.settled++
		if left := compare(t, m, live, forced); len(left.Fields) > 0 || conflict != nil {
			t.Errorf("%s by %s: settled, but the server changes %v (%v)", u.GetName(), manager, left.Fields, conflict)
		}
	}
	if live != nil {
		changed, changedHere := len(compare(t, m, live, forced).Fields) > 0, len(compare(t, m, live, res.Merged).Fields) > 0
		switch {
		case changed && !changedHere:
			t.Errorf("%s by %s: the server changes it, the local merge does not", u.GetName(), manager)
		case !changed && !changedHere:
			stat.seen++
			fallthrough
		case !changed:
			stat.same++
		}
	}
	return true
}

// wholeDefault matches the fields that the API server defaults inside atomic
// lists and maps.
func wholeDefault(path string) bool {
	for _, p := range []string{"volumeClaimTemplates", "projected.sources", "fieldRef.apiVersion", "ingress[0].ports"} {
		if strings.Contains(path, p) {
			return true
		}
	}
	return false
}

func (s *server) checkConflicts(got []Conflict, err error) {
	t := s.t
	t.Helper()
	var want []string
	var status apierrors.APIStatus
	if apierrors.IsConflict(err) && errors.As(err, &status) {
		for _, c := range status.Status().Details.Causes {
			want = append(want, strings.SplitN(c.Message, `"`, 3)[1]+" "+c.Field)
		}
	} else if err != nil && !apierrors.IsInvalid(err) {
		t.Fatal(err)
	}
	if apierrors.IsInvalid(err) {
		return
	}
	var have []string
	for _, c := range got {
		p := c.Path
		for _, q := range []string{`["example.com/a"]`, `["example.com/b"]`, `["b.c"]`} {
			p = strings.ReplaceAll(p, q, "."+strings.Trim(q, `["]`)) // the server does not quote
		}
		have = append(have, c.Manager+" ."+p)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("conflicts locally %q, on the server %q", have, want)
	}
}

func fieldsOf(t *testing.T, u *unstructured.Unstructured, manager string) *fieldpath.Set {
	for _, e := range u.GetManagedFields() {
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply {
			set := &fieldpath.Set{}
			if err := set.FromJSON(strings.NewReader(string(e.FieldsV1.GetRawBytes()))); err != nil {
				t.Fatal(err)
			}
			return set
		}
	}
	return fieldpath.NewSet()
}

// compare returns the difference between two states of an object.
func compare(t *testing.T, m *Merger, from, to *unstructured.Unstructured) diff.Change {
	t.Helper()
	schema, err := m.Schema(t.Context(), to.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	ch, err := diff.Compare(diff.Input{Base: from, Live: from, Desired: to, Merged: to}, diff.Options{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func lookup(u *unstructured.Unstructured, path string) any {
	v, _, _ := diff.Lookup(u, path)
	return v
}

func isIn(u *unstructured.Unstructured, path string) bool {
	_, ok, _ := diff.Lookup(u, path)
	return ok
}

func within(removed []string, path string) bool {
	return slices.ContainsFunc(removed, func(r string) bool {
		return path == r || strings.HasPrefix(path, r+".") || strings.HasPrefix(path, r+"[")
	})
}

// TestNoChangesAfterApply compares each object, right after it was applied, with
// the live object: neither the merge nor diff's own structural merge may report
// a change.
func TestNoChangesAfterApply(t *testing.T) {
	s, namespace := newServer(t)
	m := New(s.load)
	for name, shape := range shapes {
		if name == "Widget" {
			continue // its CRD is created by the other test
		}
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			for seed := range uint64(4) {
				u := draw(t, rand.New(rand.NewPCG(seed, 5)), shape, namespace, fmt.Sprint("n", seed))
				if _, err := s.apply(u, "fairlead", true); err != nil {
					t.Fatal(err)
				}
				live := s.get(u)
				for kind, merged := range map[string]*unstructured.Unstructured{"structural": nil, "local": mergedOf(t, m, live, u)} {
					ch, err := diff.Compare(diff.Input{Base: u, Live: live, Desired: u, Merged: merged, Manager: "fairlead"}, diff.Options{})
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range ch.Fields {
						t.Errorf("%s, %s: %s %s: %v → %v", u.GetName(), kind, f.Cause, f.Path, f.Live, f.Desired)
					}
				}
			}
		})
	}
}

func mergedOf(t *testing.T, m *Merger, live, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	res, err := m.Merge(t.Context(), Request{Live: live, Desired: u, Base: u, Manager: "fairlead"})
	if err != nil {
		t.Fatal(err)
	}
	return res.Merged
}
