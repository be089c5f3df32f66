package readiness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRolloutOfSeveralKinds(t *testing.T) {
	b := newBench(t)
	app := b.apply(onNodes(workload("Deployment", "web", "web:1", 3, "")))
	db := b.apply(onNodes(workload("StatefulSet", "db", "db:1", 2, "serviceName: db")))
	class := "lazy-" + b.ns
	b.apply("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: " + class + "}\nprovisioner: example.com/none\nvolumeBindingMode: WaitForFirstConsumer")
	t.Cleanup(func() {
		_ = b.client.Resource(classesGVR).Delete(context.Background(), class, metav1.DeleteOptions{})
	})
	targets := []Target{
		app, db,
		b.apply("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: later}\nspec: {storageClassName: " + class + ", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"),
		b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}"),
		b.apply("apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: each}\nspec: {selector: {matchLabels: {app: each}}, template: {metadata: {labels: {app: each}}, spec: {containers: [{name: a, image: a}]}}}"),
		b.apply("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}], selector: {app: web}}"),
		b.apply("apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}"),
	}
	w := b.wait(Options{}, targets...)
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
	for i, o := range w.result.Objects {
		if o.Target != targets[i] || o.Status.State != Ready {
			t.Errorf("%s: %s", o.Target, o.Status)
		}
	}
	last := map[Target]Update{}
	for _, u := range w.updates {
		last[u.Target] = u
	}
	for _, target := range targets {
		if last[target].Status.State != Ready {
			t.Errorf("the last update of %s is %s", target, last[target].Status)
		}
	}
	if got := last[app].Status; got.Ready != 3 || got.Desired != 3 {
		t.Errorf("counts %+v", got)
	}

	// The next revision counts, not the pods that were ready before.
	next := b.apply(onNodes(workload("Deployment", "web", "web:2", 3, "")))
	if err := b.wait(Options{}, next).end(t); err != nil {
		t.Fatal(err)
	}
	if n := len(b.pods("web", "web:2", 3)); n != 3 {
		t.Errorf("%d pods of the new image at the end of the wait", n)
	}
}

func TestBrokenOldPodDoesNotFailTheRolloutThatReplacesIt(t *testing.T) {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		t.Run(kind, func(t *testing.T) {
			b := newBench(t)
			extra := "podManagementPolicy: Parallel"
			if kind == "Deployment" {
				extra = ""
			}
			b.apply(workload(kind, "web", "bad:1", 1, extra))
			old := b.pods("web", "bad:1", 1)[0]
			b.play(old.GetName(), fmt.Sprintf(playWaiting, 0, "InvalidImageName", "no good", "{}"))
			w := b.wait(Options{Limits: Limits{Grace: map[Cause]time.Duration{CauseImageRefused: time.Millisecond}}}, b.apply(workload(kind, "web", "good:1", 1, extra)))
			fixed := b.pods("web", "good:1", 1)[0]
			time.Sleep(300 * time.Millisecond)
			b.play(fixed.GetName(), playReady)
			if err := w.end(t); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBrokenOldPodBlocksStatefulSetWithOrderedReady(t *testing.T) {
	b := newBench(t)
	b.apply(workload("StatefulSet", "web", "bad:1", 1, "serviceName: web"))
	b.play(b.pods("web", "bad:1", 1)[0].GetName(), fmt.Sprintf(playWaiting, 0, "InvalidImageName", "no good", "{}"))
	since := time.Now()
	w := b.wait(Options{Limits: Limits{Grace: map[Cause]time.Duration{CauseImageRefused: time.Second}}}, b.apply(workload("StatefulSet", "web", "good:1", 1, "serviceName: web")))
	d := failure(t, w, since, CauseImageRefused, "pod web-0, container app, of the old revision", "kubectl delete pod -n "+b.ns+" web-0")
	if !d.Pods[0].Old {
		t.Errorf("%+v", d.Pods[0])
	}
}

func TestCrashLoopThatRecoversDoesNotFail(t *testing.T) {
	b := newBench(t)
	w := b.wait(Options{Limits: Limits{CrashRestarts: 2, Grace: map[Cause]time.Duration{CauseCrashLoop: 20 * time.Second}}}, b.apply(workload("Deployment", "web", "web:1", 1, "")))
	name := b.pods("web", "web:1", 1)[0].GetName()
	for restarts := range 3 {
		b.play(name, fmt.Sprintf(playWaiting, restarts, "CrashLoopBackOff", "back-off", "{terminated: {exitCode: 1, reason: Error}}"))
		time.Sleep(300 * time.Millisecond)
	}
	w.until(t, "the crash loop", func(u Update) bool {
		return len(u.Troubles) > 0 && u.Troubles[0].Cause == CauseCrashLoop && u.Troubles[0].Pod.Restarts == 2
	})
	b.play(name, playReady)
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
}

func TestCrashLoopDoesNotFailWhileDependencyProgresses(t *testing.T) {
	b := newBench(t)
	web := b.apply(workload("Deployment", "web", "web:1", 1, ""))
	db := b.apply(workload("StatefulSet", "db", "db:1", 3, "serviceName: db"))
	w := b.wait(Options{Limits: Limits{CrashRestarts: 1, Grace: map[Cause]time.Duration{CauseCrashLoop: 7 * time.Second}}}, web, db)
	name := b.pods("web", "web:1", 1)[0].GetName()
	b.play(name, fmt.Sprintf(playWaiting, 4, "CrashLoopBackOff", "back-off", "{terminated: {exitCode: 1, reason: Error}}"))
	for i := range 3 {
		b.pods("db", "db:1", i+1)
		time.Sleep(3 * time.Second) // all together longer than the crash loop may last, and each much shorter
		b.play(fmt.Sprintf("db-%d", i), playReady)
	}
	w.until(t, "the database", func(u Update) bool { return u.Target == db && u.Status.State == Ready })
	b.play(name, playReady)
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
}

func TestCancelEndsAtOnceWithoutGoroutineLeaks(t *testing.T) {
	b := newBench(t)
	target := b.apply(workload("Deployment", "web", "web:1", 1, ""))
	before := runtime.NumGoroutine()
	w := b.wait(Options{}, target)
	w.until(t, "the first look", func(u Update) bool { return u.Status.Desired == 1 })
	time.Sleep(1200 * time.Millisecond) // all watches are open
	asked := time.Now()
	w.cancel()
	err := w.end(t)
	// TestCancelWaitsForNothing shows that it waits for no timer; here it does not wait
	// for the API server either, which ends watches after minutes.
	if took := w.ended.Sub(asked); took > 10*time.Second {
		t.Errorf("ended %v after the cancel", took)
	}
	var not *NotReady
	if !errors.Is(err, context.Canceled) || !errors.As(err, &not) || len(not.Objects) != 1 || not.Objects[0].Desired != 1 {
		t.Errorf("%v", err)
	}
	// The goroutines of the streams themselves end with their connections'.
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	stacks := string(buf[:runtime.Stack(buf, true)])
	if strings.Contains(stacks, "readiness.(*feed)") || strings.Contains(stacks, "readiness.(*mailbox)") {
		t.Errorf("goroutines are left:\n%s", stacks)
	}
}

func TestTimeout(t *testing.T) {
	b := newBench(t)
	target := b.apply(workload("Deployment", "web", "web:1", 2, ""))
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second) // in which the first look ends, on a busy machine, too
	defer cancel()
	_, err := Wait(ctx, []Target{target}, Options{Client: b.client})
	var not *NotReady
	if !errors.As(err, &not) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"timed out", "Deployment " + b.ns + "/web: 0 of 2 ready", "try: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// The delay is from when the API server sends the object's own ready status to
// a watch of its own until Wait returns; it is printed, since a busy machine
// may be slow.
func TestDelayUntilTheReturn(t *testing.T) {
	b := newBench(t)
	var delays []time.Duration
	for i := range 15 {
		name := fmt.Sprintf("web-%d", i)
		target := b.apply(workload("Deployment", name, "web:1", 1, ""))
		w := b.wait(Options{}, target)
		raw, err := b.client.Resource(target.GVR).Namespace(b.ns).Watch(b.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
		if err != nil {
			t.Fatal(err)
		}
		b.play(b.pods(name, "web:1", 1)[0].GetName(), playReady)
		var seen time.Time
		for ev := range raw.ResultChan() {
			if u := asUnstructured(ev.Object); u != nil && Assess(u, nil).State == Ready {
				seen = time.Now()
				break
			}
		}
		raw.Stop()
		if err := w.end(t); err != nil {
			t.Fatal(err)
		}
		delays = append(delays, w.ended.Sub(seen))
	}
	slices.Sort(delays)
	t.Logf("from a raw watch's ready event to the return: median %v, fastest %v, slowest %v", delays[len(delays)/2], delays[0], delays[len(delays)-1])
	if median := delays[len(delays)/2]; median > time.Second {
		t.Errorf("median %v: this is polling, not watching", median)
	}
}
