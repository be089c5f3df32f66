package readiness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// fast returns short limits, so that each cause ends a wait soon.
func fast() Limits {
	const d = 50 * time.Millisecond
	return Limits{CrashRestarts: 1, Unknown: 2 * time.Second, Grace: map[Cause]time.Duration{
		CauseImagePull: d, CauseImageRefused: d, CauseCrashLoop: d, CauseOutOfMemory: d, CauseConfig: d,
		CauseQuota: d, CauseLimits: d, CauseAdmission: d, CauseServiceAccount: d,
		CauseUnschedulable: d, CauseClaim: 2 * time.Second, CauseClaimRefused: d,
		CauseUnready: d, CauseDeadline: d, CauseStalled: d, CauseGone: d, CauseFinal: 0,
	}}
}

// usual returns limits as an application would set them, for tests whose wait
// is not to end by them, or only at once.
func usual() Limits {
	const d = 30 * time.Second
	return Limits{CrashRestarts: 3, Unknown: 2 * time.Second, Grace: map[Cause]time.Duration{
		CauseImagePull: d, CauseImageRefused: 3 * time.Second, CauseCrashLoop: d, CauseOutOfMemory: d, CauseConfig: d,
		CauseUnschedulable: d, CauseClaim: d, CauseClaimRefused: d, CauseDeadline: 2 * time.Second, CauseStalled: 2 * time.Second,
		CauseGone: 5 * time.Second, CauseFinal: 0,
	}}
}

func fakeLogs(lines ...string) LogReader {
	return func(context.Context, string, string, string, bool, int64) ([]string, error) { return lines, nil }
}

// failure waits for the end of a wait that must fail, within 5 s of since, and
// returns the diagnosis of its only object.
func failure(t *testing.T, w *waiting, since time.Time, cause Cause, texts ...string) Diagnosis {
	t.Helper()
	err := w.end(t)
	var not *NotReady
	if !errors.As(err, &not) || len(not.Objects) == 0 {
		t.Fatalf("not a failed wait: %v", err)
	}
	if took := w.ended.Sub(since); took > 5*time.Second {
		t.Errorf("reported %v after it was visible", took)
	} else {
		t.Logf("reported after %v:\n%v", took.Round(time.Millisecond), err)
	}
	d := not.Objects[0]
	if d.Cause != cause {
		t.Errorf("cause %s, want %s:\n%v", d.Cause, cause, err)
	}
	for _, want := range texts {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	data, jerr := json.Marshal(d)
	var back Diagnosis
	if jerr = errors.Join(jerr, json.Unmarshal(data, &back)); jerr != nil || !reflect.DeepEqual(d, back) {
		t.Errorf("the diagnosis is not plain data: %v\n%s", jerr, data)
	}
	return d
}

// Pod statuses as a kubelet writes them.
func TestCausesInPods(t *testing.T) {
	cases := map[string]struct {
		spec   string // more of the pod's spec
		status string
		event  [2]string // reason and message
		before bool      // the event is recorded before the status
		logs   []string
		cause  Cause
		texts  []string
		check  func(PodDiagnosis) bool
	}{
		"no such image, pull secret missing": {
			spec:   "imagePullSecrets: [{name: registry-key}]",
			status: fmt.Sprintf(playWaiting, 0, "ImagePullBackOff", `Back-off pulling image "web:1": ErrImagePull: failed to pull and unpack image: docker.io/library/web:1: not found`, "{}"),
			cause:  CauseImageRefused,
			texts:  []string{"its image cannot be pulled: ImagePullBackOff", "not found", "image web:1", `create the pull secret "registry-key"`, "check the name and tag"},
			check:  func(p PodDiagnosis) bool { return p.Container == "app" && p.Image == "web:1" },
		},
		"the pull error is only in an event": {
			status: fmt.Sprintf(playWaiting, 0, "ImagePullBackOff", `Back-off pulling image "web:1"`, "{}"),
			event:  [2]string{"Failed", `Failed to pull image "web:1": unauthorized: authentication required`},
			before: true,
			cause:  CauseImageRefused,
			texts:  []string{"unauthorized: authentication required", "names no imagePullSecrets"},
		},
		"registry unreachable": {
			status: fmt.Sprintf(playWaiting, 0, "ErrImagePull", "failed to pull: dial tcp: lookup registry.example: no such host", "{}"),
			cause:  CauseImagePull, texts: []string{"at the moment", "no such host", "reach the registry"},
		},
		"crash loop": {
			status: fmt.Sprintf(playWaiting, 3, "CrashLoopBackOff", "back-off 40s restarting failed container", "{terminated: {exitCode: 2, reason: Error}}"),
			logs:   []string{"starting", "fatal: no database"},
			cause:  CauseCrashLoop, texts: []string{"CrashLoopBackOff", "exit code 2", "3 restarts", "| fatal: no database", "kubectl logs", "--previous"},
			check: func(p PodDiagnosis) bool { return p.ExitCode == 2 && p.Restarts == 3 && len(p.Logs) == 2 },
		},
		"command not found": {
			status: fmt.Sprintf(playWaiting, 3, "CrashLoopBackOff", "back-off", "{terminated: {exitCode: 127, reason: StartError}}"),
			cause:  CauseCrashLoop, texts: []string{"check command and args"},
		},
		"out of memory": {
			status: fmt.Sprintf(playWaiting, 3, "CrashLoopBackOff", "back-off", "{terminated: {exitCode: 137, reason: OOMKilled}}"),
			cause:  CauseOutOfMemory, texts: []string{"OOMKilled", "resources.limits.memory of container app"},
		},
		"config map missing": {
			status: fmt.Sprintf(playWaiting, 0, "CreateContainerConfigError", `configmap "settings" not found`, "{}"),
			cause:  CauseConfig, texts: []string{`configmap "settings" not found`, "create the missing object named above"},
		},
		"secret to mount missing": {
			status: fmt.Sprintf(playWaiting, 0, "ContainerCreating", "", "{}"),
			event:  [2]string{"FailedMount", `MountVolume.SetUp failed for volume "tls": secret "tls" not found`},
			cause:  CauseConfig, texts: []string{"FailedMount", `secret "tls" not found`},
		},
		"probe fails": {
			status: "phase: Running\nconditions: [{type: Ready, status: 'False', reason: ContainersNotReady}]\ncontainerStatuses: [{name: app, image: x, imageID: x, ready: false, restartCount: 0, state: {running: {}}}]",
			event:  [2]string{"Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"},
			cause:  CauseUnready, texts: []string{"statuscode: 503", "path, port and delays"},
		},
		"init container fails": {
			spec:   "initContainers: [{name: migrate, image: m}]",
			status: "phase: Pending\ninitContainerStatuses: [{name: migrate, image: m, imageID: '', ready: false, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 9, reason: Error}}}]\ncontainerStatuses: [{name: app, image: x, imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: PodInitializing}}}]",
			cause:  CauseCrashLoop, texts: []string{"init container migrate", "exit code 9"},
			check: func(p PodDiagnosis) bool { return p.Init && p.Container == "migrate" },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			text := workload("Deployment", "web", "web:1", 1, "")
			if c.spec != "" {
				text = strings.Replace(text, "schedulerName: none", "schedulerName: none\n      "+c.spec, 1)
			}
			w := b.wait(Options{Limits: fast(), Logs: fakeLogs(c.logs...)}, b.apply(text))
			p := b.pods("web", "web:1", 1)[0]
			record := func() {
				if c.event[0] != "" {
					b.event(p, c.event[0], c.event[1], "spec.containers{app}")
				}
			}
			if c.before { // or the status alone ends the wait
				record()
			}
			b.play(p.GetName(), c.status)
			if !c.before {
				record()
			}
			d := failure(t, w, time.Now(), c.cause, append(c.texts, "Deployment "+b.ns+"/web: 0 of 1 ready", "pod "+p.GetName())...)
			if c.check != nil && !c.check(d.Pods[0]) {
				t.Errorf("pod diagnosis: %+v", d.Pods[0])
			}
			// The same at any later time, without a wait.
			now, err := Diagnose(b.ctx, Target{GVR: resources["Deployment"], Kind: "Deployment", Namespace: b.ns, Name: "web"}, Options{Client: b.client, Logs: fakeLogs(c.logs...)})
			if err != nil || now.Cause != d.Cause || now.Message != d.Message || now.Hint != d.Hint {
				t.Errorf("Diagnose returns: %+v, %v\nunlike the wait: %+v", now, err, d)
			}
		})
	}
}

// Failures that the control plane itself reports.
func TestCausesInTheControlPlane(t *testing.T) {
	claims := func(class string) string {
		s := onNodes(workload("StatefulSet", "web", "web:1", 1, "serviceName: db\n  volumeClaimTemplates: [{metadata: {name: data}, spec: {"+class+"accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]"))
		return s
	}
	cases := map[string]struct {
		before []string // applied first
		label  map[string]any
		apply  string
		cause  Cause
		texts  []string
	}{
		"quota, deployment": {
			before: []string{"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: '1'}}"},
			apply:  workload("Deployment", "web", "web:1", 3, ""),
			cause:  CauseQuota, texts: []string{"exceeded quota: small", "kubectl describe resourcequota"},
		},
		"quota, stateful set": {
			before: []string{"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: '0'}}"},
			apply:  workload("StatefulSet", "web", "web:1", 1, "serviceName: x"),
			cause:  CauseQuota, texts: []string{"exceeded quota: none"},
		},
		"limit range": {
			before: []string{"apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Container, min: {memory: 1Gi}}]}"},
			apply:  strings.Replace(workload("Deployment", "web", "web:1", 1, ""), `image: "web:1"`, `image: "web:1", resources: {limits: {memory: 1Mi}}`, 1),
			cause:  CauseLimits, texts: []string{"minimum memory usage per Container is 1Gi", "kubectl describe limitrange"},
		},
		"service account": {
			apply: strings.Replace(workload("Deployment", "web", "web:1", 1, ""), "schedulerName: none", "serviceAccountName: absent", 1),
			cause: CauseServiceAccount, texts: []string{`serviceaccount "absent" not found`, "create the service account"},
		},
		"pod security": {
			label: map[string]any{"pod-security.kubernetes.io/enforce": "restricted"},
			apply: workload("Deployment", "web", "web:1", 1, ""),
			cause: CauseAdmission, texts: []string{"violates PodSecurity", "change the pod template"},
		},
		"unschedulable": {
			apply: strings.Replace(workload("Deployment", "web", "web:1", 1, ""), "schedulerName: none", "nodeSelector: {disk: none}", 1),
			cause: CauseUnschedulable, texts: []string{"node affinity/selector", "correct nodeSelector"},
		},
		"claim of a class that is not there": {
			apply: claims("storageClassName: nowhere, "),
			cause: CauseClaimRefused, texts: []string{`a volume claim cannot be bound: ClassNotFound: claim "data-web-0" names StorageClass "nowhere", which does not exist`, "name another"},
		},
		"claim without class": {
			apply: claims(""),
			cause: CauseClaimRefused, texts: []string{"NoDefaultClass", "no default one", "set storageClassName"},
		},
		"claim of an existing volume": {
			apply: claims("storageClassName: '', "),
			cause: CauseClaim, texts: []string{"none matches"},
		},
		"claim by itself": {
			apply: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: web}\nspec: {storageClassName: nowhere, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
			cause: CauseClaimRefused, texts: []string{`StorageClass "nowhere", which does not exist`},
		},
		"job": {
			apply: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\nspec: {activeDeadlineSeconds: 1, template: {spec: {schedulerName: none, restartPolicy: Never, containers: [{name: a, image: a}]}}}",
			cause: CauseFinal, texts: []string{"DeadlineExceeded"},
		},
		"progress deadline": {
			apply: workload("Deployment", "web", "web:1", 1, "progressDeadlineSeconds: 1"),
			cause: CauseDeadline, texts: []string{"ProgressDeadlineExceeded", "kubectl describe deployment"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if c.label != nil {
				data, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": c.label}})
				if _, err := b.client.Resource(resources["Namespace"]).Patch(b.ctx, b.ns, types.MergePatchType, data, metav1.PatchOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range c.before {
				switch made := b.apply(s); made.Kind {
				case "ResourceQuota":
					testcluster.Shared(t).AwaitQuota(t, b.ns, made.Name)
				case "LimitRange":
					testcluster.Shared(t).AwaitLimitRange(t, b.ns)
				}
			}
			since := time.Now()
			failure(t, b.wait(Options{Limits: fast()}, b.apply(c.apply)), since, c.cause, c.texts...)
		})
	}
}

func TestAnObjectThatIsNotThere(t *testing.T) {
	b := newBench(t)
	target := b.apply(workload("Deployment", "web", "web:1", 1, ""))
	w := b.wait(Options{Limits: fast()}, target)
	w.until(t, "the first look", func(u Update) bool { return u.Status.Desired == 1 })
	if err := b.client.Resource(target.GVR).Namespace(b.ns).Delete(b.ctx, "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	failure(t, w, time.Now(), CauseGone, "it was deleted or replaced: NotFound")

	b.apply(workload("Deployment", "web", "web:1", 1, ""))
	failure(t, b.wait(Options{Limits: fast()}, target), time.Now(), CauseGone, "Replaced", "another object of this name")
}

func TestWaitGone(t *testing.T) {
	b := newBench(t)
	held := b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/hold]}")
	free := b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: free}")
	for _, name := range []string{"held", "free"} {
		if err := b.client.Resource(held.GVR).Namespace(b.ns).Delete(b.ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second) // in which all is looked at, on a busy machine, too
	defer cancel()
	err := WaitGone(ctx, []Target{held, free}, Options{Client: b.client})
	var not *NotGone
	if !errors.As(err, &not) || len(not.Objects) != 1 || !strings.Contains(err.Error(), "waiting for finalizers example.com/hold") || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	done := make(chan error, 1)
	go func() { done <- WaitGone(b.ctx, []Target{held, free}, Options{Client: b.client}) }()
	if _, err := b.client.Resource(held.GVR).Namespace(b.ns).Patch(b.ctx, "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Another object of the same name does not count.
	b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: free}")
	if err := WaitGone(b.ctx, []Target{free}, Options{Client: b.client}); err != nil {
		t.Fatal(err)
	}
}

func TestRulesAndUnknown(t *testing.T) {
	b := newBench(t)
	target := b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
	w := b.wait(Options{Limits: Limits{Unknown: 100 * time.Millisecond}, Rules: map[schema.GroupKind]Rule{
		target.GroupKind(): func(o *unstructured.Unstructured) (Status, error) {
			if o.GetLabels()["done"] != "" {
				return Status{State: Ready}, nil
			}
			return Status{State: Progressing, Reason: "Undone"}, nil
		},
	}}, target)
	w.until(t, "the rule", func(u Update) bool { return u.Status.Reason == "Undone" })
	b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {done: really}}")
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
	w = b.wait(Options{Limits: Limits{Unknown: 100 * time.Millisecond}, Rules: map[schema.GroupKind]Rule{
		target.GroupKind(): func(*unstructured.Unstructured) (Status, error) { return Status{State: Unknown}, nil },
	}}, target)
	if err := w.end(t); err != nil || w.result.Objects[0].Status.State != Unknown {
		t.Fatalf("%v, %+v", err, w.result)
	}
}
