package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
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
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// sighting watches a namespace beside the engine, to know when a failure was
// first visible in the API.
type sighting struct {
	mu sync.Mutex
	at time.Time
}

func (s *sighting) first() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// lookOut records when a status or an event of the namespace first contains
// mark.
func (f *fixture) lookOut(mark string) *sighting {
	f.Helper()
	s := &sighting{}
	client, err := dynamic.NewForConfig(f.cluster.Config())
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.ctx)
	f.Cleanup(cancel)
	for _, gvr := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "pods"}, {Version: "v1", Resource: "events"}, {Version: "v1", Resource: "persistentvolumeclaims"},
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "batch", Version: "v1", Resource: "jobs"},
	} {
		w, err := client.Resource(gvr).Namespace(f.namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			f.Fatal(err)
		}
		go func() {
			for ev := range w.ResultChan() {
				u, ok := ev.Object.(*unstructured.Unstructured)
				if !ok {
					continue
				}
				text, err := json.Marshal([]any{u.Object["status"], u.Object["message"], u.Object["reason"]})
				if err != nil || !strings.Contains(string(text), mark) {
					continue
				}
				s.mu.Lock()
				if s.at.IsZero() {
					s.at = time.Now()
				}
				s.mu.Unlock()
			}
		}()
	}
	return s
}

// behaving returns a workload whose pods behave as the test cluster's annotation
// says.
func behaving(word string) string {
	return strings.ReplaceAll(deployment, "annotations: {{ .Values.podAnnotations | default dict | toJson }}", "annotations: {fairlead.dev/pod: "+word+"}")
}

func withPodSpec(workload, more string) string {
	return strings.Replace(workload, "      containers:\n", "      "+more+"\n      containers:\n", 1)
}

func withResources(resources string) string {
	return strings.Replace(deployment, "        image:", "        resources: "+resources+"\n        image:", 1)
}

// create creates an object from YAML, and waits until controllers have seen it.
func (f *fixture) create(text string) {
	f.Helper()
	var obj unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		f.Fatal(err)
	}
	client, err := dynamic.NewForConfig(f.cluster.Config())
	if err != nil {
		f.Fatal(err)
	}
	switch obj.GetKind() {
	case "StorageClass":
		class := client.Resource(schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"})
		if _, err = class.Create(f.ctx, &obj, metav1.CreateOptions{}); err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() {
			if err := class.Delete(context.Background(), obj.GetName(), metav1.DeleteOptions{}); err != nil {
				f.Error(err)
			}
		})
	case "ResourceQuota", "LimitRange":
		res := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: strings.ToLower(obj.GetKind()) + "s"}).Namespace(f.namespace)
		if _, err = res.Create(f.ctx, &obj, metav1.CreateOptions{}); err != nil {
			f.Fatal(err)
		}
		if obj.GetKind() == "ResourceQuota" {
			f.cluster.AwaitQuota(f, f.namespace, obj.GetName())
		} else {
			f.cluster.AwaitLimitRange(f, f.namespace)
		}
	default:
		f.Fatalf("no resource for %s", obj.GetKind())
	}
}

func (f *fixture) labelNamespace(key, value string) {
	f.Helper()
	data := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	if _, err := f.client.CoreV1().Namespaces().Patch(f.ctx, f.namespace, types.MergePatchType, []byte(data), metav1.PatchOptions{}); err != nil {
		f.Fatal(err)
	}
}

const statefulSet = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: shop}
spec:
  replicas: 1
  serviceName: shop
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: web, image: "shop:1.0"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {%s accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

// Each cause that the test cluster can play, through Deploy: its text and its
// data, and how long after it was visible in the API it was reported. The
// policy is short, as the default for some causes is minutes.
func TestEachCauseIsReportedWithItsReason(t *testing.T) {
	const soon = 500 * time.Millisecond
	policy := engine.FailurePolicy{
		ImagePull: soon, ImageRefused: soon, CrashLoop: soon, CrashRestarts: 1, Config: soon, CreateRefused: soon,
		Unschedulable: soon, Claim: 4 * time.Second, ClaimRefused: soon, Unready: soon, Gone: soon, Stalled: soon,
	}
	cases := map[string]struct {
		before   string            // an object that exists before
		labels   map[string]string // of the namespace
		template string
		mark     string // what is visible in the API
		cause    string
		texts    []string // in this order: what is wrong, where, what to try
		check    func(engine.Diagnosis) bool
	}{
		"image pull": {
			template: withPodSpec(behaving("image-pull-error"), "imagePullSecrets: [{name: registry-key}]"),
			mark:     "ErrImagePull", cause: "Image",
			texts: []string{"its image cannot be pulled", "shop:1.0", "pod shop-", "container web", "image shop:1.0", "try: ", `pull secret "registry-key"`},
			check: func(d engine.Diagnosis) bool { return d.Pods[0].Image == "shop:1.0" && d.Pods[0].Container == "web" },
		},
		"crash loop": {
			template: behaving("crash-loop"), mark: `"restartCount":1`, cause: "CrashLoop",
			texts: []string{"keeps crashing", "pod shop-", "exit code 1", "| fatal: no database", "try: kubectl logs"},
			check: func(d engine.Diagnosis) bool {
				p := d.Pods[0]
				return p.ExitCode == 1 && p.Restarts > 0 && reflect.DeepEqual(p.Logs, []string{"starting", "fatal: no database"})
			},
		},
		"out of memory": {
			template: behaving("oom-killed"), mark: `"restartCount":1`, cause: "OutOfMemory",
			texts: []string{"runs out of memory", "OOMKilled", "pod shop-", "exit code 137", "try: raise resources.limits.memory of container web"},
			check: func(d engine.Diagnosis) bool { return d.Pods[0].ExitCode == 137 },
		},
		"missing config map": {
			template: behaving("config-error"), mark: "CreateContainerConfigError", cause: "Config",
			texts: []string{"an object that its pods need is missing", `configmap "missing" not found`, "pod shop-", "try: create the missing object named above"},
		},
		"missing secret": {
			template: strings.Replace(behaving("config-error"), "{fairlead.dev/pod", `{fairlead.dev/message: 'secret "db" not found', fairlead.dev/pod`, 1),
			mark:     "CreateContainerConfigError", cause: "Config",
			texts: []string{`secret "db" not found`, "pod shop-", "try: create"},
		},
		"probe": {
			template: behaving("never-ready"), mark: "Unhealthy", cause: "Unready",
			texts: []string{"run but do not become ready", "pod shop-", "Unhealthy", "try: check path, port and delays of the probe"},
		},
		"init container": {
			template: withPodSpec(deployment, `initContainers: [{name: migrate, image: "migrate:crash-loop"}]`),
			mark:     `"restartCount":1`, cause: "CrashLoop",
			texts: []string{"keeps crashing", "pod shop-", "init container migrate", "try: "},
			check: func(d engine.Diagnosis) bool { return d.Pods[0].Init && d.Pods[0].Container == "migrate" },
		},
		"unschedulable": {
			template: withPodSpec(deployment, "nodeSelector: {disk: none}"), mark: "Unschedulable", cause: "Unschedulable",
			texts: []string{"its pods cannot be scheduled", "node affinity/selector", "pod shop-", "try: correct nodeSelector"},
		},
		"too large": {
			template: withResources("{requests: {memory: 900Ti}}"), mark: "Unschedulable", cause: "Unschedulable",
			texts: []string{"its pods cannot be scheduled", "Insufficient memory", "try: lower resources.requests or add nodes"},
		},
		"class missing": {
			template: fmt.Sprintf(statefulSet, "storageClassName: nowhere,"), mark: "Unschedulable", cause: "ClaimRefused",
			texts: []string{"a volume claim cannot be bound", `StorageClass "nowhere", which does not exist`, "pod shop-0", `try: create StorageClass "nowhere"`},
		},
		"provisioner silent": {
			before:   "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAMESPACE}\nprovisioner: example.com/asleep",
			template: fmt.Sprintf(statefulSet, "storageClassName: {{ .Release.Namespace }},"), mark: "Unschedulable", cause: "Claim",
			texts: []string{"a volume claim is not bound", "pod shop-0", `try: claim "data-shop-0" waits for provisioner "example.com/asleep"`},
		},
		"quota": {
			before:   "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: '0'}}",
			template: deployment, mark: "exceeded quota", cause: "Quota",
			texts: []string{"a quota does not allow its pods", "exceeded quota: small", "try: kubectl describe resourcequota"},
		},
		"limit range": {
			before:   "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, min: {memory: 1Gi}}]}",
			template: withResources("{limits: {memory: 1Mi}}"), mark: "minimum memory usage", cause: "Limits",
			texts: []string{"a limit range does not allow its pods", "minimum memory usage per Container is 1Gi", "try: kubectl describe limitrange"},
		},
		"admission of the pods": {
			labels:   map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
			template: deployment, mark: "violates PodSecurity", cause: "Admission",
			texts: []string{"its pods are not admitted", "violates PodSecurity", "try: change the pod template"},
		},
		"service account": {
			template: withPodSpec(deployment, "serviceAccountName: missing"), mark: "serviceaccount", cause: "ServiceAccount",
			texts: []string{"its service account does not exist", `serviceaccount \"missing\" not found`, "try: create the service account"},
		},
		"progress deadline": {
			template: strings.Replace(withPodSpec(deployment, "schedulerName: none"), "  selector:", "  progressDeadlineSeconds: 1\n  selector:", 1), mark: "ProgressDeadlineExceeded", cause: "Deadline",
			texts: []string{"its progress deadline is exceeded", "ProgressDeadlineExceeded", "try: kubectl describe deployment"},
		},
		"job": {
			template: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: shop}\nspec: {backoffLimit: 0, template: {metadata: {annotations: {fairlead.dev/pod: crash-loop}}, spec: {restartPolicy: Never, containers: [{name: web, image: 'job:1'}]}}}",
			mark:     "BackoffLimitExceeded", cause: "Final",
			texts: []string{"it has failed", "BackoffLimitExceeded", "pod shop-", "exit code 1", "try: kubectl logs"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if c.before != "" {
				f.create(strings.ReplaceAll(c.before, "NAMESPACE", f.namespace))
			}
			for key, value := range c.labels {
				f.labelNamespace(key, value)
			}
			f.engine = f.newEngine(withLogs(f.config, "starting\nfatal: no database\n"))
			seen := f.lookOut(c.mark)
			text := strings.ReplaceAll(c.template, "{{ .Values.replicas | default 2 }}", "1")
			rev, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": text})), engine.ApplyOptions{FailurePolicy: policy})
			ended := time.Now()
			var not *engine.NotReadyError
			if !errors.As(err, &not) || errors.Is(err, context.DeadlineExceeded) || rev == nil || rev.Status != engine.StatusFailed {
				t.Fatalf("%+v, %v", rev, err)
			}
			d := not.Objects[0]
			if !strings.HasPrefix(string(d.Cause), c.cause) || d.Reason == "" || d.Hint == "" || d.Object.Name != "shop" || d.Object.Version == "" || not.Revision != 1 || not.Key != f.key {
				t.Errorf("data %+v", d)
			}
			if c.check != nil && (len(d.Pods) == 0 || !c.check(d)) {
				t.Errorf("pods %+v", d.Pods)
			}
			rest := err.Error()
			for _, want := range c.texts {
				_, after, found := strings.Cut(rest, want)
				if !found {
					if _, _, found = strings.Cut(rest, strings.ReplaceAll(want, `\"`, `"`)); !found {
						t.Errorf("%q is not in its place in:\n%v", want, err)
					}
					continue
				}
				rest = after
			}
			f.wantPlain(d)
			reported := f.wantReported(d)

			at := seen.first()
			if at.IsZero() {
				t.Fatalf("%q was never seen in the API:\n%v", c.mark, err)
			}
			took := ended.Sub(at)
			t.Logf("%s: reported %v and failed %v after it was visible", name, reported.Sub(at).Round(time.Millisecond), took.Round(time.Millisecond))
			// The bound is 5 s where nothing else runs on the machine.
			if took > 25*time.Second {
				t.Errorf("reported %v after it was visible", took)
			}
			// Status reports the same at any later time.
			s, err := f.engine.Status(f.ctx, f.key)
			if err != nil || s.Ready || len(s.Objects) != 1 {
				t.Fatalf("status %+v, %v", s, err)
			}
			if now := s.Objects[0]; now.Cause != d.Cause || now.Hint == "" || len(now.Pods) != len(d.Pods) {
				t.Errorf("status says %+v\nthe wait said %+v", now, d)
			}
		})
	}
}

// wantPlain checks that a diagnosis is plain data.
func (f *fixture) wantPlain(d engine.Diagnosis) {
	f.Helper()
	data, err := json.Marshal(d)
	var back engine.Diagnosis
	if err = errors.Join(err, json.Unmarshal(data, &back)); err != nil || !reflect.DeepEqual(d, back) {
		f.Errorf("not plain data: %v\n%s", err, data)
	}
}

// wantReported checks that events reported the trouble before the end, and the
// logs. It returns when the trouble was first reported.
func (f *fixture) wantReported(d engine.Diagnosis) (first time.Time) {
	f.Helper()
	var trouble, lines, unready int
	for _, e := range f.events.take() {
		switch e := e.(type) {
		case engine.Trouble:
			if e.Object != d.Object || unready > 0 {
				continue
			}
			if trouble++; trouble == 1 {
				first = e.Time()
			}
		case engine.LogLine:
			lines++
		case engine.Unready:
			if e.Object == d.Object && reflect.DeepEqual(e.Diagnosis, d) {
				unready++
			}
		}
	}
	if trouble == 0 || unready != 1 {
		f.Errorf("reported the trouble %d times, the end %d times", trouble, unready)
	}
	if len(d.Pods) > 0 && lines < len(d.Pods[0].Logs) {
		f.Errorf("reported %d log lines of %d", lines, len(d.Pods[0].Logs))
	}
	return first
}

// withLogs responds in place of the kubelets, which the test cluster does not
// have.
func withLogs(cfg *rest.Config, text string) *rest.Config {
	return testcluster.Inject(cfg, func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/log") {
			return nil, nil
		}
		return &http.Response{
			StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
		}, nil
	})
}

// An evicted pod is replaced if a controller owns it, and has failed otherwise.
func TestAnEvictedPodHasFailed(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec: {schedulerName: none, containers: [{name: web, image: 'shop:1'}]}"})
	go func() {
		for f.ctx.Err() == nil {
			_, err := f.client.CoreV1().Pods(f.namespace).Patch(f.ctx, "shop", types.MergePatchType, []byte(`{"status":{"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory."}}`), metav1.PatchOptions{}, "status")
			if err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	var not *engine.NotReadyError
	if !errors.As(err, &not) {
		t.Fatal(err)
	}
	if d := not.Objects[0]; d.Reason != "Evicted" || !strings.Contains(d.Message, "low on resource: memory") || !strings.Contains(d.Hint, "set requests") {
		t.Errorf("%+v", d)
	}
}
