package readiness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

// bench is a namespace of the test cluster. Pods of the scheduler "none" are
// never scheduled, so that only play writes their status, as a kubelet would.
type bench struct {
	t      *testing.T
	ctx    context.Context
	client dynamic.Interface
	ns     string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c := testcluster.Shared(t)
	return benchOn(t, c.Config(), c.Namespace(t))
}

func benchOn(t *testing.T, cfg *rest.Config, ns string) *bench {
	t.Helper()
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return &bench{t: t, ctx: ctx, client: client, ns: ns}
}

var resources = map[string]schema.GroupVersionResource{
	"Deployment":            {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet":           {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":             {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Job":                   {Group: "batch", Version: "v1", Resource: "jobs"},
	"Pod":                   podsGVR,
	"PersistentVolumeClaim": claimsGVR,
	"StorageClass":          classesGVR,
	"Namespace":             {Version: "v1", Resource: "namespaces"},
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"Service":               {Version: "v1", Resource: "services"},
	"ResourceQuota":         {Version: "v1", Resource: "resourcequotas"},
	"LimitRange":            {Version: "v1", Resource: "limitranges"},
}

// apply writes an object, by server-side apply, and returns it as a target.
func (b *bench) apply(text string) Target {
	b.t.Helper()
	obj := object(b.t, text)
	gvr, ok := resources[obj.GetKind()]
	if !ok {
		b.t.Fatalf("no resource for kind %s", obj.GetKind())
	}
	var res dynamic.ResourceInterface = b.client.Resource(gvr)
	if obj.GetKind() != "StorageClass" {
		res = b.client.Resource(gvr).Namespace(b.ns)
	}
	got, err := res.Apply(b.ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return Target{GVR: gvr, Kind: got.GetKind(), Namespace: got.GetNamespace(), Name: got.GetName(), UID: got.GetUID(), Generation: got.GetGeneration()}
}

// applied is t with the object as it is now.
func (b *bench) applied(t Target) Target {
	b.t.Helper()
	obj, err := b.client.Resource(t.GVR).Namespace(t.Namespace).Get(b.ctx, t.Name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	t.Applied = obj
	return t
}

// workload is a Deployment or StatefulSet whose pod statuses the test writes.
func workload(kind, name, image string, replicas int, extra string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: %s}}
  %s
  template:
    metadata: {labels: {app: %s}}
    spec:
      schedulerName: none
      containers: [{name: app, image: "%s"}]
`, kind, name, replicas, name, extra, name, image)
}

// onNodes is a workload whose pods KWOK runs.
func onNodes(s string) string { return strings.ReplaceAll(s, "schedulerName: none", "hostname: a") }

// pods waits until n pods of an app with the given image exist.
func (b *bench) pods(app, image string, n int) []unstructured.Unstructured {
	b.t.Helper()
	for {
		list, err := b.client.Resource(podsGVR).Namespace(b.ns).List(b.ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			b.t.Fatal(err)
		}
		var out []unstructured.Unstructured
		for _, p := range list.Items {
			c, _ := items(&p, "spec", "containers")[0].(map[string]any)
			if c["image"] == image && p.GetDeletionTimestamp() == nil {
				out = append(out, p)
			}
		}
		if len(out) >= n {
			return out
		}
		select {
		case <-b.ctx.Done():
			b.t.Fatalf("%d of %d pods of %s with image %s", len(out), n, app, image)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// play writes a pod's status.
func (b *bench) play(pod string, status string) {
	b.t.Helper()
	obj := object(b.t, "apiVersion: v1\nkind: Pod\nstatus:\n"+indent(status))
	data, err := json.Marshal(map[string]any{"status": obj.Object["status"]})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.client.Resource(podsGVR).Namespace(b.ns).Patch(b.ctx, pod, types.MergePatchType, data, metav1.PatchOptions{}, "status"); err != nil {
		b.t.Fatal(err)
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}

const (
	playReady   = "phase: Running\nconditions: [{type: Ready, status: 'True'}]\ncontainerStatuses: [{name: app, image: x, imageID: x, ready: true, restartCount: 0, state: {running: {}}}]"
	playWaiting = "phase: Pending\ncontainerStatuses: [{name: app, image: x, imageID: '', ready: false, restartCount: %d, state: {waiting: {reason: %s, message: '%s'}}, lastState: %s}]"
)

// event records a warning about a pod, as a kubelet does.
func (b *bench) event(pod unstructured.Unstructured, reason, message, container string) {
	b.t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	obj := object(b.t, fmt.Sprintf(`
apiVersion: v1
kind: Event
metadata: {generateName: test-, namespace: %s}
involvedObject: {apiVersion: v1, kind: Pod, name: %s, namespace: %s, uid: %s, fieldPath: "%s"}
reason: %s
message: %q
type: Warning
firstTimestamp: %s
lastTimestamp: %s
count: 3
`, b.ns, pod.GetName(), b.ns, pod.GetUID(), container, reason, message, now, now))
	if _, err := b.client.Resource(eventsGVR).Namespace(b.ns).Create(b.ctx, obj, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// waiting is a Wait in progress.
type waiting struct {
	done    chan struct{}
	cancel  context.CancelFunc
	ended   time.Time
	result  Result
	err     error
	mu      sync.Mutex
	updates []Update
}

func (b *bench) wait(o Options, targets ...Target) *waiting {
	ctx, cancel := context.WithCancel(b.ctx)
	b.t.Cleanup(cancel)
	w := &waiting{done: make(chan struct{}), cancel: cancel}
	if o.Client == nil {
		o.Client = b.client
	}
	if o.Limits.Grace == nil && o.Limits.Unknown == 0 {
		o.Limits = usual()
	}
	o.OnUpdate = func(u Update) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.updates = append(w.updates, u)
	}
	go func() {
		defer close(w.done)
		w.result, w.err = Wait(ctx, targets, o)
		w.ended = time.Now()
	}()
	return w
}

// end waits for the wait's end.
func (w *waiting) end(t *testing.T) error {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(80 * time.Second):
		w.mu.Lock()
		defer w.mu.Unlock()
		t.Fatalf("the wait does not end; last of %d updates: %+v", len(w.updates), w.updates[max(0, len(w.updates)-3):])
	}
	return w.err
}

// until waits for an update.
func (w *waiting) until(t *testing.T, what string, ok func(Update) bool) {
	t.Helper()
	limit := time.Now().Add(40 * time.Second)
	for time.Now().Before(limit) {
		w.mu.Lock()
		for _, u := range w.updates {
			if ok(u) {
				w.mu.Unlock()
				return
			}
		}
		w.mu.Unlock()
		select {
		case <-w.done:
			t.Fatalf("the wait ended before %s: %v", what, w.err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatalf("never seen: %s; updates: %+v", what, w.updates)
}

func asUnstructured(o any) *unstructured.Unstructured {
	u, _ := o.(*unstructured.Unstructured)
	return u
}
