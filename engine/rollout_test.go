package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

func (f *fixture) rollout(r engine.Rollout) *engine.Revision {
	f.Helper()
	rev, err := f.engine.Rollout(f.ctx, f.key, r, engine.ApplyOptions{})
	if err != nil {
		f.Fatalf("%s: %v", r, err)
	}
	return rev
}

func (f *fixture) web() *appsv1.Deployment {
	f.Helper()
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return d
}

// rolloutHistory is what kubectl rollout history prints: revision and cause.
func (f *fixture) rolloutHistory() string {
	f.Helper()
	sets, err := f.client.AppsV1().ReplicaSets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	lines := map[string]string{}
	for _, rs := range sets.Items {
		lines[rs.Annotations["deployment.kubernetes.io/revision"]] = rs.Annotations["kubernetes.io/change-cause"]
	}
	return strings.TrimPrefix(fmt.Sprint(lines), "map")
}

// A scale stays as long as the chart's value for replicas does not change.
func TestScaleHoldsUntilTheChartSaysOtherwise(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	f.deploy(f.release(c, "replicas=2"))
	rev := f.rollout(engine.Rollout{Verb: engine.Scale, Workload: "deploy/shop", Replicas: 4, Cause: "many guests"})
	if rev.Cause != "Scale Deployment/shop to 4: many guests" || *f.web().Spec.Replicas != 4 {
		t.Errorf("revision %+v, replicas %d", rev, *f.web().Spec.Replicas)
	}
	f.wantHistory("1 superseded", "2 deployed")
	if report, err := f.engine.Drift(f.ctx, f.key); err != nil || slices.ContainsFunc(report.Changes, diff.Change.Changed) {
		t.Errorf("drift: %s, %v", report.Summary(), err)
	}

	// The same chart again changes nothing, and says so.
	plan, err := f.engine.Plan(f.ctx, f.release(c, "replicas=2"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Changed() {
		t.Errorf("the same chart: %s", plan.Report.Summary())
	}
	var said []string
	for _, change := range plan.Report.Changes {
		said = append(said, change.Warnings...)
	}
	if want := "spec.replicas stays 4, as revision 2 set it; the chart sets 2"; strings.Join(said, ";") != want {
		t.Errorf("said %q, want %q", said, want)
	}
	// Another field changes: the scale stays.
	f.deploy(f.release(c, "replicas=2", "tag=2.0"))
	if n := *f.web().Spec.Replicas; n != 4 {
		t.Errorf("after a new tag: %d replicas", n)
	}
	// The chart's replicas change: the chart decides.
	f.deploy(f.release(c, "replicas=3", "tag=2.0"))
	if n := *f.web().Spec.Replicas; n != 3 {
		t.Errorf("after a new number in the chart: %d replicas", n)
	}
	// A rollback restores it, and Scale to the chart's own number ends it.
	if _, err := f.engine.Rollback(f.ctx, f.key, 2, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.rollout(engine.Rollout{Verb: engine.Scale, Replicas: 2})
	f.deploy(f.release(c, "replicas=2"))
	if n := *f.web().Spec.Replicas; n != 2 {
		t.Errorf("after scaling back: %d replicas", n)
	}
	f.requests.Reset()
	f.deploy(f.release(c, "replicas=2"))
	if w := f.writes(); len(w) > 0 {
		t.Errorf("once more writes %v", w)
	}
}

func TestRestartAndUndo(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	first, second := f.release(c), f.release(c, "tag=2.0")
	first.Cause, second.Cause = "first", "second"
	f.deploy(first)
	before := f.pods()
	f.rollout(engine.Rollout{Verb: engine.Restart, Workload: "Deployment/shop", Cause: "new certificates"})
	for name := range f.pods() {
		if _, ok := before[name]; ok {
			p, err := f.client.CoreV1().Pods(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
			if err == nil && p.DeletionTimestamp == nil {
				t.Errorf("pod %s was not renewed", name)
			}
		}
	}
	// Deploying the same again restarts nothing.
	generation := f.web().Generation
	f.deploy(first)
	if g := f.web().Generation; g != generation {
		t.Error("the same chart changes the Deployment after a restart")
	}
	f.wantHistory("1 superseded", "2 deployed")

	f.deploy(second)
	f.rollout(engine.Rollout{Verb: engine.Undo, Cause: "it broke"})
	image := func() string { return f.web().Spec.Template.Spec.Containers[0].Image }
	if image() != "shop:1.0" {
		t.Errorf("after undo: %s", image())
	}
	// The bad version, deployed once more, stays undone; the next one is deployed.
	f.deploy(second)
	if image() != "shop:1.0" {
		t.Errorf("after the bad version once more: %s", image())
	}
	f.deploy(f.release(c, "tag=3.0"))
	if image() != "shop:3.0" {
		t.Errorf("after the next version: %s", image())
	}
	if h := f.rolloutHistory(); !strings.Contains(h, "first") || !strings.Contains(h, "Undo Deployment/shop: it broke") || !strings.Contains(h, "second") {
		t.Errorf("kubectl rollout history would show %s", h)
	}
	if _, err := f.engine.Rollout(f.ctx, f.key, engine.Rollout{Verb: engine.Undo, Revision: 99}, engine.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "no revision 99") {
		t.Errorf("undo to a revision that is not there: %v", err)
	}
}

func TestPauseStays(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	f.deploy(f.release(c))
	pods := f.pods()
	f.rollout(engine.Rollout{Verb: engine.Pause, Cause: "look at it first"})
	f.deploy(f.release(c, "tag=2.0"))
	if d := f.web(); !d.Spec.Paused || d.Spec.Template.Spec.Containers[0].Image != "shop:2.0" {
		t.Errorf("paused %v, image %s", d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image)
	}
	for name, uid := range f.pods() {
		if pods[name] != uid {
			t.Errorf("pod %s is new though the Deployment is paused", name)
		}
	}
	for _, v := range []engine.Verb{engine.Restart, engine.Undo} {
		if _, err := f.engine.Rollout(f.ctx, f.key, engine.Rollout{Verb: v}, engine.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "resume it first") {
			t.Errorf("%s while paused: %v", v, err)
		}
	}
	f.rollout(engine.Rollout{Verb: engine.Resume})
	if d := f.web(); d.Spec.Paused || d.Status.UpdatedReplicas != 2 {
		t.Errorf("paused %v, %d updated", d.Spec.Paused, d.Status.UpdatedReplicas)
	}
	f.rollout(engine.Rollout{Verb: engine.Resume}) // it is so already
	f.wantHistory("1 superseded", "2 superseded", "3 superseded", "4 deployed")
}

func TestRolloutOfStatefulSetAndDaemonSet(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database, "agent.yaml": agent})
	f.deploy(f.release(c, "class="+class, "replicas=2"))
	f.deploy(f.release(c, "class="+class, "replicas=2", "tag=2.0"))
	f.rollout(engine.Rollout{Verb: engine.Undo, Workload: "sts/db"})
	f.rollout(engine.Rollout{Verb: engine.Undo, Workload: "ds/agent", Revision: 1})
	if image := f.set().Spec.Template.Spec.Containers[0].Image; image != "db:1.0" {
		t.Errorf("after undo the StatefulSet has %s", image)
	}
	ds, err := f.client.AppsV1().DaemonSets(f.namespace).Get(f.ctx, "agent", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if image := ds.Spec.Template.Spec.Containers[0].Image; image != "agent:1.0" {
		t.Errorf("after undo the DaemonSet has %s", image)
	}
	pods := f.pods()
	f.rollout(engine.Rollout{Verb: engine.Restart, Workload: "StatefulSet/db"})
	if now := f.pods(); now["db-0"] == pods["db-0"] || now["db-1"] == pods["db-1"] {
		t.Error("the StatefulSet's pods are the old ones")
	}
	plan, err := f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Scale, Workload: "db"}, engine.PlanOptions{})
	if err == nil || !strings.Contains(err.Error(), "StatefulSet/db") {
		t.Errorf("planning for a workload without its kind: %+v, %v", plan, err)
	}
	plan, err = f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Scale, Workload: "sts/db", Replicas: 1}, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Report.Changes) != 2 || plan.Report.Changes[1].Object.Name != "data-db-1" || plan.Report.Changes[1].Action != "Kept" {
		t.Errorf("scaling down does not name the claim that stays: %s", plan.Report.Summary())
	}
	if _, err := f.engine.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []engine.Rollout{
		{Verb: engine.Pause, Workload: "sts/db"}, {Verb: engine.Scale, Workload: "ds/agent", Replicas: 1},
		{Verb: "stop", Workload: "sts/db"}, {Verb: engine.Scale, Workload: "sts/db", Replicas: -1}, {Verb: engine.Restart, Workload: "sts/other"},
	} {
		if _, err := f.engine.Rollout(f.ctx, f.key, r, engine.ApplyOptions{}); err == nil {
			t.Errorf("%s succeeds", r)
		}
	}
}

const agent = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: agent, image: "agent:{{ .Values.tag | default "1.0" }}"}]
`

// A comment in a chart that looks like the record of a rollout is none, even if
// it has come into the history.
func TestChartsCannotPretendRollouts(t *testing.T) {
	f := newFixture(t)
	const comment = "# fairlead.dev/rollout: {\"paused\":{\"since\":1},\"replicas\":{\"chart\":2,\"since\":1}}\n"
	first := f.chart(map[string]string{"web.yaml": comment + strings.Replace(deployment, "spec:\n", "spec:\n  paused: true\n", 1)})
	if _, err := f.engine.Deploy(f.ctx, f.release(first, "replicas=3"), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	plan := f.plan(f.release(f.chart(map[string]string{"web.yaml": deployment}), "replicas=2"))
	for _, c := range plan.Report.Changes {
		if len(c.Warnings) > 0 {
			t.Errorf("the plan says %q", c.Warnings)
		}
	}
	if _, err := f.engine.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if web := f.web(); web.Spec.Paused || *web.Spec.Replicas != 2 {
		t.Errorf("paused %v, %d replicas", web.Spec.Paused, *web.Spec.Replicas)
	}
}
