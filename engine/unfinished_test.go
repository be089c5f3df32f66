package engine_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// drifted returns the fields and objects with drift.
func (f *fixture) drifted() []string {
	f.Helper()
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for _, c := range report.Changes {
		if c.Changed() && c.Action != diff.Updated {
			out = append(out, string(c.Action)+" "+c.Object.Name)
		}
		for _, field := range c.Fields {
			out = append(out, c.Object.Name+" "+field.Path)
		}
	}
	return out
}

// wantUnfinished checks that the call returns ErrUnfinished with its own name.
func (f *fixture) wantUnfinished(op string, err error) {
	f.Helper()
	var e *engine.Error
	if !errors.Is(err, engine.ErrUnfinished) || !errors.As(err, &e) || e.Op != op || e.Key != f.key || e.Hint == "" {
		f.Errorf("%s: %v", op, err)
	}
}

const scaler = `
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: scaler}
spec: {minReplicas: 1, maxReplicas: {{ .Values.most | default 3 }}, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: elsewhere}}
`

// A revision that failed or was killed in its first hook has no drift, and no
// correction completes it.
func TestARevisionThatWroteNothingIsNoDrift(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "old.yaml": secondConfig, "web.yaml": deployment, "scaler.yaml": scaler})))
	time.Sleep(2 * time.Second) // so that the API server's timestamps differ
	next := f.chart(map[string]string{
		"config.yaml": configMap, "web.yaml": deployment, "hook.yaml": brokenHook,
		"new.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: third}\n",
		"scaler.yaml": "apiVersion: autoscaling/v2" + scaler[len("\napiVersion: autoscaling/v1"):],
	})
	if rev, err := f.engine.Deploy(f.ctx, f.release(next, "tag=2.0", "colour=red", "most=5"), engine.ApplyOptions{}); err == nil || rev == nil {
		t.Fatalf("the hook was let through: %v", rev)
	}
	f.wantConfigMaps("second", "shop-config")
	for _, status := range []string{"failed", "pending-upgrade"} {
		f.interrupt(2, status)
		if got := f.drifted(); len(got) > 0 {
			t.Errorf("%s: nothing was changed, and there is drift of %v", status, got)
		}
		_, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
		f.wantUnfinished("plan correction", err)
	}

	f.edit("deployments", "shop", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"shop:9.9","ports":[{"containerPort":8080,"protocol":"TCP"}]}]}}}}`)
	f.edit("configmaps", "shop-config", "kubectl-edit", `{"data":{"colour":"blue"}}`)
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "second", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, c := range report.Changes {
		for _, field := range c.Fields {
			if got[field.Path] = field.Desired; field.Cause != diff.Drift || field.Manager != "kubectl-edit" {
				t.Errorf("%+v", field)
			}
		}
	}
	if want := map[string]any{"data.colour": "green", `spec.template.spec.containers[name="web"].image`: "shop:1.0"}; !maps.Equal(got, want) {
		t.Errorf("there is drift from %v, want %v", got, want)
	}
}

// What a revision wrote before it failed counts, and only that.
func TestDriftOfARevisionThatFailedLater(t *testing.T) {
	f := newFixture(t)
	f.failLater(f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment}))
	if got := f.drifted(); len(got) > 0 {
		t.Errorf("nothing was changed, and there is drift of %v", got)
	}
	f.edit("configmaps", "shop-config", "kubectl-edit", `{"data":{"colour":"blue"}}`)
	if got := f.drifted(); !slices.Equal(got, []string{"shop-config data.colour"}) {
		t.Errorf("there is drift of %v", got)
	}
	_, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	f.wantUnfinished("plan correction", err)
}

// A correction that failed can be planned again.
func TestAFailedCorrectionCanBeRepeated(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap}), "colour=red"))
	correct := func() {
		t.Helper()
		f.edit("configmaps", "shop-config", "kubectl-edit", `{"data":{"colour":"blue"}}`)
		p, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
		if err == nil {
			_, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		f.wantColour("red")
	}
	correct()
	f.interrupt(1, "deployed")
	f.interrupt(2, "failed")
	correct()
	f.wantHistory("1 superseded", "3 deployed") // which takes the place of the one that failed
}

// An interrupted uninstall is continued, and nothing recreates its objects.
func TestNoDriftOfAnUninstall(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig})))
	e, ctx := f.dies(write("DELETE", "/configmaps/shop-config"))
	if err := e.Uninstall(ctx, f.key, engine.ApplyOptions{}); err == nil {
		t.Fatal("the dead finished")
	}
	f.wantHistory("1 uninstalling")
	_, err := f.engine.Drift(f.ctx, f.key)
	f.wantUnfinished("drift", err)
	_, err = f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	f.wantUnfinished("plan correction", err)
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); err != nil {
		t.Fatal(err)
	}

	// Now the release does not exist, which each call reports with its own name.
	f.wantHistory("1 uninstalled")
	_, drift := f.engine.Drift(f.ctx, f.key)
	_, correction := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	for op, err := range map[string]error{"drift": drift, "plan correction": correction} {
		var failed *engine.Error
		if !errors.Is(err, engine.ErrReleaseNotFound) || !errors.As(err, &failed) || failed.Op != op {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// A release whose newest revision is not deployed is not ready, though an
// earlier one still runs.
func TestStatusOfAnUnfinishedRevision(t *testing.T) {
	f := newFixture(t)
	files := map[string]string{"config.yaml": configMap, "web.yaml": deployment}
	f.deploy(f.release(f.chart(files)))
	want := func(status engine.RevisionStatus, ready bool) {
		t.Helper()
		s, err := f.engine.Status(f.ctx, f.key)
		if err != nil || s.Ready != ready || s.Revision.Status != status || len(s.Objects) != 2 {
			t.Fatalf("%s: %+v, %v", status, s, err)
		}
		for _, d := range s.Objects {
			if d.State != engine.StateReady {
				t.Errorf("%s: %+v", status, d)
			}
		}
	}
	want(engine.StatusDeployed, true)
	files["hook.yaml"] = brokenHook
	if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(files), "tag=2.0"), engine.ApplyOptions{}); err == nil {
		t.Fatal("the hook was let through")
	}
	want(engine.StatusFailed, false)
	f.interrupt(2, "pending-upgrade")
	want(engine.StatusPendingUpgrade, false)
	delete(files, "hook.yaml")
	f.deploy(f.release(f.chart(files), "tag=2.0"))
	want(engine.StatusDeployed, true)
}
