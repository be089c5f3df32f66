package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
)

const brokenPods = `podAnnotations.fairlead\.dev/pod=image-pull-error`

func (f *fixture) image() string {
	f.Helper()
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

func TestAFailedDeployIsRolledBackToAHealthyRevision(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"web.yaml": deployment, "config.yaml": configMap,
		"pre.yaml":  hookOf("before", "pre-rollback", "0", "hook-succeeded"),
		"post.yaml": hookOf("after", "post-rollback", "0", "hook-succeeded"),
	})
	f.deploy(f.release(c, "tag=1"))
	// Deployed without a wait, so it is not known to be healthy.
	if _, err := f.engine.Deploy(f.ctx, f.release(c, "tag=2", brokenPods), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	f.events.take()
	bad := f.release(c, "tag=3", "colour=red", brokenPods)
	bad.Cause = "try 3"
	rev, err := f.engine.Deploy(f.ctx, bad, engine.ApplyOptions{OnFailure: engine.RollBack})
	var reverted *engine.RevertError
	var not *engine.NotReadyError
	if !errors.As(err, &reverted) || !errors.As(err, &not) {
		t.Fatalf("%v", err)
	}
	if rev == nil || rev.Revision != 3 || rev.Status != engine.StatusFailed {
		t.Errorf("returned %v", rev)
	}
	if r := reverted; r.RevertErr != nil || r.Failed != 3 || r.Target != 1 || r.Uninstalled || r.Revision == nil || r.Revision.Revision != 4 || r.Revision.Status != engine.StatusDeployed {
		t.Errorf("reverted: %+v", r)
	}
	if text := err.Error(); !strings.Contains(text, "ImagePull") || !strings.Contains(text, "the release was rolled back to revision 1, as revision 4") {
		t.Errorf("the error says %s", text)
	}
	f.wantHistory("1 superseded", "2 superseded", "3 failed", "4 deployed")
	history, err := f.engine.History(f.ctx, f.key)
	if err != nil || history[3].Cause != "rollback to 1, because revision 3 failed" || history[2].Cause != "try 3" {
		t.Errorf("%+v, %v", history, err)
	}
	if image := f.image(); image != "shop:1" {
		t.Errorf("the image is %s", image)
	}
	var story []string
	for _, e := range f.events.take() {
		switch e := e.(type) {
		case engine.Started, engine.Ended, engine.Reverting:
			story = append(story, strings.Fields(e.String())[0])
		case engine.HookEnded:
			story = append(story, e.Event)
		}
	}
	if got := fmt.Sprint(story); got != "[deploy revision pre-rollback post-rollback deploy]" {
		t.Errorf("events are %s", got)
	}

	// The next deploy continues from there.
	if rev := f.deploy(f.release(c, "tag=5")); rev.Revision != 5 {
		t.Errorf("%v", rev)
	}
}

func TestACancelledDeployIsRolledBackWithItsOwnTimeout(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	f.deploy(f.release(c, "tag=1"))
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	time.AfterFunc(2*time.Second, cancel)
	_, err := f.engine.Deploy(ctx, f.release(c, "tag=2", `podAnnotations.fairlead\.dev/pod=never-ready`), engine.ApplyOptions{OnFailure: engine.RollBackOrUninstall, OnCancel: engine.CancelIsFailure})
	var reverted *engine.RevertError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &reverted) || reverted.RevertErr != nil || reverted.Target != 1 {
		t.Fatalf("%v", err)
	}
	f.wantHistory("1 superseded", "2 failed", "3 deployed")
	if image := f.image(); image != "shop:1" {
		t.Errorf("the image is %s", image)
	}
}

func TestAFailedInstallIsUninstalledOnlyIfAskedFor(t *testing.T) {
	f := newFixture(t)
	set := []string{
		"replicas=1", "auth.password=canary-Pa55", "storage.size=1Gi", "storageClass.create=true", "storageClass.provisioner=fairlead.dev/volume",
		`podAnnotations.fairlead\.dev/pod=crash-loop`,
	}
	opts := engine.ApplyOptions{OnFailure: engine.RollBack, FailurePolicy: engine.FailurePolicy{CrashLoop: time.Second, CrashRestarts: 1}}
	_, err := f.engine.Deploy(f.ctx, f.release(charts.Database(), set...), opts)
	var reverted *engine.RevertError
	if !errors.As(err, &reverted) || !errors.Is(reverted.RevertErr, engine.ErrRevisionNotFound) || reverted.Target != 0 || reverted.Uninstalled {
		t.Fatalf("%v", err)
	}
	f.wantHistory("1 failed")

	opts.OnFailure = engine.RollBackOrUninstall
	_, err = f.engine.Deploy(f.ctx, f.release(charts.Database(), set...), opts)
	var not *engine.NotReadyError
	if !errors.As(err, &reverted) || !errors.As(err, &not) || reverted.RevertErr != nil || !reverted.Uninstalled {
		t.Fatalf("%v", err)
	}
	if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("%v", err)
	}
	sets, err := f.client.AppsV1().StatefulSets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(sets.Items) > 0 {
		t.Errorf("%d StatefulSets are left, %v", len(sets.Items), err)
	}
	claims, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(claims.Items) != 1 {
		t.Errorf("%d claims stayed, %v", len(claims.Items), err)
	}
}

// Revisions from before an uninstall are no target; and the error of a failed
// rollback also has the error of the deploy.
func TestRollbackAfterAFailureCanFail(t *testing.T) {
	f := newFixture(t)
	good := f.chart(map[string]string{"config.yaml": configMap})
	broken := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": failingJob("post-install,post-upgrade,post-rollback")})
	f.deploy(f.release(good))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); err != nil {
		t.Fatal(err)
	}
	_, err := f.engine.Deploy(f.ctx, f.release(broken), engine.ApplyOptions{OnFailure: engine.RollBack})
	var reverted *engine.RevertError
	if !errors.As(err, &reverted) || reverted.Target != 0 || !errors.Is(reverted.RevertErr, engine.ErrRevisionNotFound) {
		t.Fatalf("%v", err)
	}
	f.wantHistory("1 uninstalled", "2 failed")

	if _, err := f.engine.Deploy(f.ctx, f.release(broken), engine.ApplyOptions{NoHooks: true}); err != nil {
		t.Fatal(err)
	}
	_, err = f.engine.Deploy(f.ctx, f.release(broken, "colour=red"), engine.ApplyOptions{OnFailure: engine.RollBack})
	if !errors.As(err, &reverted) || reverted.Target != 3 || reverted.RevertErr == nil || !strings.Contains(reverted.RevertErr.Error(), "post-rollback hook") {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(err.Error(), "post-upgrade hook") || !strings.Contains(err.Error(), "rolling back to revision 3 failed") {
		t.Errorf("%v", err)
	}
	f.wantHistory("1 uninstalled", "2 failed", "3 deployed", "4 failed", "5 failed")

	// A refused deploy wrote nothing, so it is not rolled back.
	_, err = f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": inOrder("ConfigMap", "a", on("nonsense"), "")})), engine.ApplyOptions{OnFailure: engine.RollBack})
	var problems *engine.ProblemsError
	if errors.As(err, &reverted) || !errors.As(err, &problems) {
		t.Errorf("%v", err)
	}
}

func failingJob(events string) string {
	text := strings.Replace(fmt.Sprintf(job, "hook", 0, "before-hook-creation"), "helm.sh/hook: hook", "helm.sh/hook: "+events, 1)
	return strings.Replace(text, "{annotations: {{ .Values.jobAnnotations | default dict | toJson }}}", "{annotations: {fairlead.dev/pod: crash-loop}}", 1)
}

// Revisions beyond the limit are deleted, except the deployed one.
func TestHistoryHasALimit(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	for i := range 5 {
		if _, err := f.engine.Deploy(f.ctx, f.release(c, fmt.Sprintf("colour=c%d", i)), engine.ApplyOptions{History: 3}); err != nil {
			t.Fatal(err)
		}
	}
	f.wantHistory("3 superseded", "4 superseded", "5 deployed")
	if _, err := f.engine.Rollback(f.ctx, f.key, 3, engine.ApplyOptions{History: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("6 deployed")
	broken := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": failingJob("pre-upgrade")})
	if _, err := f.engine.Deploy(f.ctx, f.release(broken, "colour=red"), engine.ApplyOptions{History: 1, OnFailure: engine.RollBack}); err == nil {
		t.Fatal("it did not fail")
	}
	f.wantHistory("8 deployed")
}
