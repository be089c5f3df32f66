package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The API server is killed while Deploy waits, and restarted: the deploy succeeds
// and its revision is recorded.
func TestDeployOutlastsTheAPIServer(t *testing.T) {
	testcluster.Need(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cluster, err := testcluster.Start(ctx, testcluster.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	waiting := make(chan struct{}, 1000)
	eng, err := engine.New(cluster.Config(), engine.Options{OnEvent: func(e engine.Event) {
		if w, ok := e.(engine.Waiting); ok && w.Desired > 0 {
			waiting <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(behaving("slow-ready"), "{fairlead.dev/pod", "{fairlead.dev/recover-after: 8s, fairlead.dev/pod", 1)
	r := engine.Release{Key: engine.Key{Namespace: cluster.Namespace(t), Name: "shop"}, Source: loadChart(t, "1.0.0", map[string]string{"a.yaml": text})}
	type result struct {
		rev *engine.Revision
		err error
	}
	done := make(chan result, 1)
	go func() {
		rev, err := eng.Deploy(ctx, r, engine.ApplyOptions{})
		done <- result{rev, err}
	}()
	select {
	case <-waiting:
	case got := <-done:
		t.Fatalf("it did not wait: %+v, %v", got.rev, got.err)
	}
	if err := cluster.Kill(testcluster.APIServer); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if err := cluster.Restart(testcluster.APIServer); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil || got.rev.Status != engine.StatusDeployed {
		t.Fatalf("%+v, %v", got.rev, got.err)
	}
}

// Cancelling ends a wait at once, and the record says so.
func TestCancelEndsTheWaitAndIsRecorded(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	var at time.Time
	eng, err := engine.New(f.config, engine.Options{OnEvent: func(e engine.Event) {
		if _, ok := e.(engine.Trouble); ok && at.IsZero() {
			at = time.Now()
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	rev, err := eng.Deploy(ctx, f.release(f.chart(map[string]string{"a.yaml": behaving("never-ready")})), engine.ApplyOptions{})
	took := time.Since(at)
	var not *engine.NotReadyError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &not) || rev == nil || rev.Status != engine.StatusPendingInstall {
		t.Fatalf("%+v, %v", rev, err)
	}
	if len(not.Objects) != 1 || len(not.Objects[0].Pods) == 0 || !strings.Contains(rev.Description, "wait was stopped") {
		t.Errorf("%+v\nrecorded as %q", not.Objects, rev.Description)
	}
	t.Logf("returned, recorded, %v after the cancel", took.Round(time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("returned %v after the cancel", took)
	}
	f.wantHistory("1 pending-install")
}

// Options.Rules apply in Deploy and in Status.
func TestReadyRules(t *testing.T) {
	f := newFixture(t)
	f.engine = f.newEngineWith(engine.Options{OnEvent: f.events.add, Rules: []engine.ReadyRule{
		{Kind: "ConfigMap", Ready: `object.data.colour == "blue"`, Failed: `object.data.colour == "black"`, Message: `"it is " + object.data.colour`},
		{Kind: "Secret", Judge: func(obj *unstructured.Unstructured) (engine.Verdict, error) {
			if obj.GetAnnotations()["done"] == "" {
				return engine.Verdict{State: engine.StateProgressing, Reason: "Undone"}, nil
			}
			return engine.Verdict{State: engine.StateReady}, nil
		}},
	}})
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}"})
	go func() {
		for f.ctx.Err() == nil {
			_, err := f.client.CoreV1().Secrets(f.namespace).Patch(f.ctx, "s", types.MergePatchType, []byte(`{"metadata":{"annotations":{"done":"yes"}}}`), metav1.PatchOptions{})
			if err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	f.deploy(f.release(c, "colour=blue"))
	_, err := f.engine.Deploy(f.ctx, f.release(c, "colour=black"), engine.ApplyOptions{FailurePolicy: engine.FailurePolicy{Stalled: time.Millisecond}})
	var not *engine.NotReadyError
	if !errors.As(err, &not) || not.Objects[0].Object.Kind != "ConfigMap" || !strings.Contains(err.Error(), "it is black") {
		t.Fatal(err)
	}
	s, err := f.engine.Status(f.ctx, f.key)
	if err != nil || s.Ready || s.Objects[0].State == s.Objects[1].State {
		t.Errorf("%+v, %v", s, err)
	}

	for _, rule := range []engine.ReadyRule{{}, {Kind: "A"}, {Kind: "A", Ready: "object."}, {Kind: "A", Ready: "true", Judge: func(*unstructured.Unstructured) (engine.Verdict, error) { return engine.Verdict{}, nil }}} {
		if _, err := engine.New(f.config, engine.Options{Rules: []engine.ReadyRule{rule}}); err == nil || !strings.Contains(err.Error(), "Options.Rules[0]") {
			t.Errorf("rule %+v: %v", rule, err)
		}
	}
}

// BenchmarkReadyToReturn measures from the moment at which a watch of the test
// sees the last workload ready to Deploy's return, its revision recorded. It
// reports the median in milliseconds.
func BenchmarkReadyToReturn(b *testing.B) {
	cluster := testcluster.Shared(b)
	client := kubernetes.NewForConfigOrDie(cluster.Config())
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	chart := loadChart(b, "1.0.0", map[string]string{"a.yaml": strings.ReplaceAll(deployment, "{{ .Values.replicas | default 2 }}", "1")})
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		namespace := cluster.Namespace(b)
		w, err := client.AppsV1().Deployments(namespace).Watch(b.Context(), metav1.ListOptions{})
		if err != nil {
			b.Fatal(err)
		}
		ready := make(chan time.Time, 1)
		go func() {
			for ev := range w.ResultChan() {
				now := time.Now()
				if d, ok := ev.Object.(*appsv1.Deployment); ok && d.Status.AvailableReplicas == 1 && d.Status.ObservedGeneration == d.Generation {
					ready <- now
					return
				}
			}
		}()
		if _, err := eng.Deploy(b.Context(), engine.Release{Key: engine.Key{Namespace: namespace, Name: fmt.Sprintf("b%d", i)}, Source: chart}, engine.ApplyOptions{}); err != nil {
			b.Fatal(err)
		}
		returned := time.Now()
		took = append(took, returned.Sub(<-ready))
		w.Stop()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(took[len(took)*9/10].Microseconds())/1000, "ms/p90")
}
