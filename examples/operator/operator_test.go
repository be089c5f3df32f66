package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// An Application is deployed, upgraded, and uninstalled when it is deleted.
func TestDeployAndUninstall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	f.application("web", `{"replicas":1}`)
	app := f.is("web", ready)
	s := app.Status
	if s.Phase != "Deployed" || s.Revision != 1 || s.Chart.Name != "webapp" || !strings.HasPrefix(s.Chart.Digest, "sha256:") || s.LastPlan.Kind != "Install" {
		t.Errorf("%+v", s)
	}
	if !slices.Contains(s.Inventory, v1alpha1.ObjectReference{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: f.namespace, Name: "web"}) {
		t.Errorf("the inventory is %v", s.Inventory)
	}
	f.change("web", values(`{"replicas":2}`))
	app = f.is("web", func(a *v1alpha1.Application) bool { return ready(a) && a.Status.Revision == 2 })
	if d := f.deployment("web"); *d.Spec.Replicas != 2 || app.Status.LastPlan.Summary == "" {
		t.Errorf("%d replicas, %+v", *d.Spec.Replicas, app.Status.LastPlan)
	}
	if err := f.client.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	f.gone(app)
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = f.namespace, "web"
	f.gone(d)
	if h := f.history("web"); len(h) != 0 {
		t.Errorf("the history is %v", h)
	}
}

// What others change is set back, reported, or left to them, as the Application says.
func TestDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	served := &operator{health: freeAddress(t)}
	f.operate("-watch", "-resync", "1h", "-metrics-address", served.health)
	mode := func(m v1alpha1.DriftMode, ignore ...v1alpha1.IgnoreRule) func(*v1alpha1.ApplicationSpec) {
		return func(s *v1alpha1.ApplicationSpec) { s.Drift = v1alpha1.Drift{Mode: m, Ignore: ignore} }
	}
	ignored := v1alpha1.IgnoreRule{Kind: "Deployment", Path: "spec.template.metadata.annotations", Manager: "restarter"}
	f.application("corrected", `{"replicas":1}`, mode(v1alpha1.DriftCorrect, ignored))
	f.application("reported", `{"replicas":1}`) // by default
	f.application("left", `{"replicas":1}`, mode(v1alpha1.DriftOff))
	for _, name := range []string{"corrected", "reported", "left"} {
		f.is(name, ready)
		f.patch(f.deployment(name), "kubectl-edit", `{"spec":{"replicas":3}}`)
	}
	testcluster.Eventually(t, within, func(context.Context) error {
		if n := *f.deployment("corrected").Spec.Replicas; n != 1 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	f.is("corrected", func(a *v1alpha1.Application) bool { return ready(a) && a.Status.Revision >= 2 })
	f.event("corrected", "DriftCorrected", "Deployment "+f.namespace+"/corrected: spec.replicas set by kubectl-edit")
	corrected := fmt.Sprintf(`fairlead_drift_corrected_total{name="corrected",namespace=%q}`, f.namespace)
	testcluster.Eventually(t, within, served.get("metrics", func(body string) bool { return strings.Contains(body, corrected) }))
	app := f.is("reported", func(a *v1alpha1.Application) bool { return ready(a) && a.Status.Drift != nil })
	if d := app.Status.Drift; d.Objects != 1 || len(d.Fields) != 1 || !strings.Contains(d.Fields[0], "spec.replicas set by kubectl-edit") {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"reported", "left"} {
		if n := *f.deployment(name).Spec.Replicas; n != 3 {
			t.Errorf("%s has %d replicas", name, n)
		}
		if h := f.history(name); len(h) != 1 {
			t.Errorf("the history of %s is %v", name, h)
		}
	}

	// A field that is ignored stays with the other manager, while another one is set back.
	f.patch(f.deployment("corrected"), "restarter", `{"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`)
	f.patch(f.deployment("corrected"), "kubectl-edit", `{"spec":{"replicas":2}}`)
	testcluster.Eventually(t, within, func(context.Context) error {
		if n := *f.deployment("corrected").Spec.Replicas; n != 1 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	if notes := f.deployment("corrected").Spec.Template.Annotations; notes["restarted"] != "now" {
		t.Errorf("pods with annotations %v", notes)
	}

	// A release that another client has removed is deployed again.
	if err := f.engine.Uninstall(t.Context(), engine.Key{Namespace: f.namespace, Name: "left"}, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	var again int // 2 if the operator comes while revision 1 is being deleted
	testcluster.Eventually(t, within, func(context.Context) error {
		h := f.history("left")
		if len(h) == 1 && strings.HasSuffix(h[0], " deployed") {
			_, err := fmt.Sscan(h[0], &again)
			return err
		}
		return fmt.Errorf("the history is %v", h)
	})
	t.Logf("deployed again as revision %d", again)

	// And so is one that another client has deployed otherwise.
	values, err := render.MergeValues(render.FromSet("replicas=2"))
	if err != nil {
		t.Fatal(err)
	}
	other := engine.Release{Key: engine.Key{Namespace: f.namespace, Name: "left"}, Source: charts.WebApp(), Values: values}
	if _, err := f.engine.Deploy(t.Context(), other, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.is("left", func(a *v1alpha1.Application) bool { return ready(a) && a.Status.Revision == again+2 })
	if n := *f.deployment("left").Spec.Replicas; n != 1 {
		t.Errorf("%d replicas", n)
	}
}

// Applications that never become ready do not hold the only worker, and the fix of one
// begins at once.
func TestNeverReadyHoldsNoWorker(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate("-workers", "1")
	const never = `{"image":{"repository":"example.com/web","tag":"never-ready"}}`
	for i := range 3 {
		f.application(fmt.Sprintf("stuck-%d", i), never)
	}
	for i := range 3 {
		app := f.is(fmt.Sprintf("stuck-%d", i), func(a *v1alpha1.Application) bool {
			return because("Progressing")(a) && meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.Reconciling) && len(a.Status.Diagnosis) > 0
		})
		if d := app.Status.Diagnosis[0]; !strings.Contains(d, "Deployment "+f.namespace+"/stuck") {
			t.Errorf("the diagnosis is %q", d)
		}
	}
	f.application("crashes", `{"image":{"repository":"example.com/web","tag":"crash-loop"}}`, func(s *v1alpha1.ApplicationSpec) {
		s.Timeout = &metav1.Duration{Duration: 2 * time.Second}
	})
	f.application("fine", `{}`)
	f.is("fine", ready)
	f.change("stuck-1", values(`{}`))
	f.is("stuck-1", ready)
	app := f.is("crashes", func(a *v1alpha1.Application) bool {
		return because("Failed")(a) && meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.Stalled)
	})
	if app.Status.Phase != "Failed" || !slices.Equal(f.history("crashes"), []string{"1 failed"}) {
		t.Errorf("%+v, %v", app.Status, f.history("crashes"))
	}
	f.is("stuck-0", because("Progressing"))
}

// A revision that fails is rolled back, and not tried again before it changes.
func TestRollBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	f.application("web", `{}`, func(s *v1alpha1.ApplicationSpec) { s.OnFailure = v1alpha1.RollBack })
	f.is("web", ready)
	f.change("web", func(s *v1alpha1.ApplicationSpec) {
		values(`{"image":{"tag":"image-pull-error"}}`)(s)
		s.Timeout = &metav1.Duration{Duration: 10 * time.Second} // which the way back has, too
	})
	app := f.is("web", because("Reverted"))
	if app.Status.Revision != 3 || !slices.Equal(f.history("web"), []string{"1 superseded", "2 failed", "3 deployed"}) {
		t.Errorf("revision %d, %v", app.Status.Revision, f.history("web"))
	}
	f.event("web", "Reverted", "")
	f.change("web", values(`{"replicas":2}`))
	f.is("web", func(a *v1alpha1.Application) bool { return ready(a) && a.Status.Revision == 4 })
}

// An Application begins when those that it depends on are ready and their expressions
// are true.
func TestDependsOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate("-workers", "1")
	f.application("front", `{}`, func(s *v1alpha1.ApplicationSpec) {
		s.DependsOn = []v1alpha1.Dependency{{Name: "back", ReadyExpr: "app.status.revision >= 2"}}
	})
	f.application("wrong", `{}`, func(s *v1alpha1.ApplicationSpec) {
		s.DependsOn = []v1alpha1.Dependency{{Name: "back", ReadyExpr: "app.status.nothing > 2"}}
	})
	f.is("front", because("DependencyNotReady"))
	f.application("back", `{}`)
	f.is("back", ready)
	app := f.is("front", func(a *v1alpha1.Application) bool {
		c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.Ready)
		return c != nil && strings.Contains(c.Message, "app.status.revision >= 2 is false")
	})
	if h := f.history("front"); len(h) != 0 || app.Status.Phase != "Pending" {
		t.Errorf("%v, %+v", h, app.Status)
	}
	f.change("back", values(`{"replicas":2}`))
	f.is("front", ready)
	f.is("wrong", func(a *v1alpha1.Application) bool {
		c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.Ready)
		return c != nil && c.Status == "False" && strings.Contains(c.Message, "no such key: nothing")
	})
}

// A suspended Application is left as it is, drift included, and goes on afterwards.
func TestSuspend(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	suspend := func(yes bool) func(*v1alpha1.ApplicationSpec) {
		return func(s *v1alpha1.ApplicationSpec) { s.Suspend, s.Drift.Mode = yes, v1alpha1.DriftCorrect }
	}
	f.application("web", `{"replicas":1}`, suspend(true))
	f.is("web", because("Suspended"))
	if h := f.history("web"); len(h) != 0 {
		t.Errorf("the history is %v", h)
	}
	f.change("web", suspend(false))
	f.is("web", ready)
	f.change("web", suspend(true))
	f.is("web", because("Suspended"))
	f.patch(f.deployment("web"), "kubectl-edit", `{"spec":{"replicas":4}}`)
	f.change("web", values(`{"replicas":2}`))
	f.is("web", because("Suspended"))
	if n := *f.deployment("web").Spec.Replicas; n != 4 {
		t.Errorf("%d replicas", n)
	}
	f.change("web", suspend(false))
	f.is("web", ready)
	if n := *f.deployment("web").Spec.Replicas; n != 2 {
		t.Errorf("%d replicas", n)
	}
}

// An Application has the permissions of its ServiceAccount and no others.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	f.application("web", `{}`, func(s *v1alpha1.ApplicationSpec) { s.ServiceAccountName = "deployer" })
	app := f.is("web", func(a *v1alpha1.Application) bool {
		return !ready(a) && meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.Stalled)
	})
	c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.Ready)
	if !strings.Contains(c.Message, "system:serviceaccount:"+f.namespace+":deployer") || len(f.history("web")) != 0 {
		t.Errorf("%+v, %v", c, f.history("web"))
	}
	f.grant("deployer")
	f.is("web", ready)
}
