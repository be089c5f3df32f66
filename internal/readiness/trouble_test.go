package readiness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestPodTroubles(t *testing.T) {
	const head = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nspec: {restartPolicy: Always, containers: [{name: a, image: i}]}\nstatus:\n"
	container := func(s string) string {
		return "  phase: Running\n  containerStatuses: [{name: a, ready: false, restartCount: 2, " + s + "}]"
	}
	cases := map[string]struct {
		status string
		want   Cause // empty: none
		fails  bool  // may end a wait
	}{
		"starting":                       {"  phase: Pending\n  containerStatuses: [{name: a, state: {waiting: {reason: ContainerCreating}}}]", "", false},
		"running":                        {container("state: {running: {}}"), "", false},
		"running after a crash":          {container("state: {running: {}}, lastState: {terminated: {exitCode: 1}}"), CauseCrashLoop, true},
		"running after a clean restart":  {container("state: {running: {}}, lastState: {terminated: {exitCode: 0}}"), "", false},
		"just ended":                     {container("state: {terminated: {exitCode: 1, reason: Error}}"), CauseCrashLoop, true},
		"just ended for want of memory":  {container("state: {terminated: {exitCode: 137, reason: OOMKilled}}"), CauseOutOfMemory, true},
		"a server that ends with 0":      {container("state: {terminated: {exitCode: 0, reason: Completed}}"), CauseCrashLoop, true},
		"image of another platform":      {container("state: {waiting: {reason: ErrImagePull, message: 'no matching manifest for linux/arm64'}}"), CauseImageRefused, true},
		"too many requests":              {container("state: {waiting: {reason: ImagePullBackOff, message: '429 Too Many Requests'}}"), CauseImagePull, true},
		"an unknown reason":              {container("state: {waiting: {reason: NewInNextVersion}}"), "", false},
		"evicted":                        {"  {phase: Failed, reason: Evicted, message: low on memory}", CauseEvicted, false},
		"failed":                         {"  {phase: Failed, containerStatuses: [{name: a, state: {terminated: {exitCode: 3}}}]}", CausePodFailed, false},
		"done":                           {"  {phase: Succeeded}", "", false},
		"gated":                          {"  {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: SchedulingGated}]}", CauseGated, false},
		"its claim does not exist":       {"  {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 'persistentvolumeclaim \"data\" not found'}]}", CauseClaimRefused, true},
		"no node":                        {"  {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/3 nodes'}]}", CauseUnschedulable, true},
		"scheduled, nothing else so far": {"  {phase: Pending, conditions: [{type: PodScheduled, status: 'True'}]}", "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := typed[corev1.Pod](object(t, head+c.status))
			if p == nil {
				t.Fatal("not a pod")
			}
			got := podTroubles(p, nil)
			if c.want == "" {
				if len(got) > 0 {
					t.Fatalf("%+v, %+v", got[0], got[0].pod)
				}
				return
			}
			if len(got) != 1 || got[0].cause != c.want {
				t.Fatalf("got %+v, want %s", got, c.want)
			}
			fails := !got[0].harmless && fast().grace(got[0].cause) >= 0
			if fails != c.fails {
				t.Errorf("may end a wait: %v, want %v", fails, c.fails)
			}
		})
	}
}

func TestNewReplicaSet(t *testing.T) {
	set := func(name, image, revision string) *appsv1.ReplicaSet {
		return typed[appsv1.ReplicaSet](object(t, fmt.Sprintf("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: %s, uid: %s, annotations: {deployment.kubernetes.io/revision: '%s'}}\nspec: {template: {metadata: {labels: {app: a, pod-template-hash: h}}, spec: {containers: [{name: a, image: %s}]}}}", name, name, revision, image)))
	}
	deployment := object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: {deployment.kubernetes.io/revision: '3'}}\nspec: {template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: two}]}}}")
	for want, sets := range map[string][]*appsv1.ReplicaSet{
		"same":  {set("old", "one", "1"), set("same", "two", "2"), set("later", "two", "3")},
		"third": {set("old", "one", "1"), set("third", "other-defaults", "3")},
		"none":  {set("old", "one", "1")},
	} {
		got := "none"
		if s := newReplicaSet(deployment, sets); s != nil {
			got = s.Name
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNotReadyError(t *testing.T) {
	e := &NotReady{
		Total: 3, Waited: 12340 * time.Millisecond,
		Objects: []Diagnosis{{
			Kind: "Deployment", Namespace: "shop", Name: "web", State: Progressing, Cause: CauseCrashLoop,
			Reason: "CrashLoopBackOff", Message: "back-off 40s\nrestarting", Ready: 1, Desired: 3,
			Pods: []PodDiagnosis{{
				Name: "web-1", Node: "n1", Container: "app", Cause: CauseCrashLoop, Reason: "CrashLoopBackOff",
				Message: "back-off 40s\nrestarting", ExitCode: 2, Restarts: 3, Logs: []string{"fatal: no database"},
			}},
			Events: []Event{
				{Object: "Pod web-1", Reason: "BackOff", Message: "Back-off restarting failed container", Count: 4},
				{Object: "Pod web-1", Reason: "Again", Message: "so: back-off 40s\nrestarting"},
			},
			Hint: "kubectl logs -n shop web-1 -c app --previous",
		}, {
			Kind: "Service", Namespace: "shop", Name: "web", State: Progressing, Cause: CauseTimeout,
			Reason: "NoAddress", Message: "the load balancer has no address yet",
		}},
	}
	const want = `2 of 3 objects not ready after 12.3s, and waiting longer will not help
Deployment shop/web: 1 of 3 ready: a container keeps crashing: CrashLoopBackOff: back-off 40s restarting
  pod web-1 on n1, container app: CrashLoopBackOff (exit code 2, 3 restarts)
    | fatal: no database
  event of Pod web-1: BackOff: Back-off restarting failed container (4 times)
  try: kubectl logs -n shop web-1 -c app --previous
Service shop/web: still in progress: NoAddress: the load balancer has no address yet`
	if got := e.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	e.Err = context.DeadlineExceeded
	if !errors.Is(e, context.DeadlineExceeded) || !strings.HasPrefix(e.Error(), "2 of 3 objects not ready: timed out after 12.3s\n") {
		t.Errorf("%v", e)
	}
}

func TestLastLines(t *testing.T) {
	got := lastLines("one\ntwo\r\n\x1b[31mthree\n"+strings.Repeat("x", 2*maxLogLine)+"\n\n", 3)
	want := []string{"two", "[31mthree", strings.Repeat("x", maxLogLine) + "…"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAFailedJobShowsItsPod(t *testing.T) {
	b := newBench(t)
	w := b.wait(Options{Logs: fakeLogs("cannot migrate")}, b.apply("apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\nspec: {backoffLimit: 0, template: {metadata: {labels: {app: web}}, spec: {schedulerName: none, restartPolicy: Never, containers: [{name: app, image: 'm:1'}]}}}"))
	p := b.pods("web", "m:1", 1)[0]
	b.play(p.GetName(), "phase: Failed\ncontainerStatuses: [{name: app, image: x, imageID: x, ready: false, restartCount: 0, state: {terminated: {exitCode: 3, reason: Error}}}]")
	d := failure(t, w, time.Now(), CauseFinal, "BackoffLimitExceeded", "exit code 3", "| cannot migrate", "kubectl logs")
	if len(d.Pods) != 1 || d.Pods[0].ExitCode != 3 || d.State != Failed {
		t.Errorf("%+v", d)
	}
}
