package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// Drift names who changed what and when; its correction is a plan that undoes
// that and nothing else.
func TestDriftIsCorrectedByAPlan(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment, "c.yaml": secret, "d.yaml": hookJob})
	hooked := func() int {
		t.Helper()
		jobs, err := f.client.BatchV1().Jobs(f.namespace).List(f.ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(jobs.Items)
	}
	f.deploy(f.release(c, "password=first-password"))
	if err := f.client.BatchV1().Jobs(f.namespace).Delete(f.ctx, "hook", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now().Add(-2 * time.Second)
	f.edit("deployments", "shop", "kubectl-edit", `{"spec":{"replicas":3},"metadata":{"labels":{"theirs":"stays"}}}`)
	f.edit("secrets", "shop-secret", "kubectl-patch", `{"stringData":{"password":"rotated-password"}}`)
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "shop-config", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]diff.Field{}
	for _, change := range report.Changes {
		for _, field := range change.Fields {
			found[change.Object.Kind+" "+field.Path] = field
		}
	}
	for path, manager := range map[string]string{"Deployment spec.replicas": "kubectl-edit", "Secret data.password": "kubectl-patch"} {
		field := found[path]
		if field.Cause != diff.Drift || field.Manager != manager || field.Time == nil || field.Time.Before(begun) {
			t.Errorf("%s: %+v", path, field)
		}
	}
	var text strings.Builder
	if err := report.WriteText(&text, diff.TextOptions{Width: 200}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"1 to create, 2 to update, 2 drifted", "drift, set by kubectl-edit at 20"} {
		if !strings.Contains(text.String(), s) {
			t.Errorf("the report does not say %q:\n%s", s, &text)
		}
	}

	p, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, data := f.store(p)
	validPlan(t, data)
	if strings.Contains(data, "rotated-password") || strings.Contains(text.String(), "rotated-password") {
		t.Error("the secret is shown")
	}
	rev, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: f.key})
	if err != nil {
		t.Fatal(err)
	}
	if rev.Revision != 2 || rev.Description != "Correction of drift from 1 complete" {
		t.Errorf("%+v", rev)
	}
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil || *d.Spec.Replicas != 2 || d.Labels["theirs"] != "stays" {
		t.Errorf("%+v, %v", d, err)
	}
	s, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, "shop-secret", metav1.GetOptions{})
	if err != nil || string(s.Data["password"]) != "first-password" {
		t.Errorf("%v, %v", s.Data, err)
	}
	if n := hooked(); n != 0 {
		t.Errorf("%d hooks ran", n)
	}

	f.requests.Reset()
	p, err = f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	if err != nil || p.Changed() || p.To != 0 {
		t.Errorf("the drift is still there: %+v, %v", p, err)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	// The next deploy has no conflict.
	f.deploy(f.release(c, "password=first-password"))
	f.wantHistory("1 superseded", "2 deployed")
}

// What is missing is one fact for each object, not a drift of each field; an
// object whose definition was deleted is missing too, and cannot be created.
func TestDriftOfMissingObjects(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.org"
	f.deleteCRD("gadgets." + group)
	f.deploy(f.release(f.chart(map[string]string{
		"a.yaml": configMap, "crds/gadgets.yaml": strings.ReplaceAll(gadgetCRD, "GROUP", group), "gadget.yaml": strings.ReplaceAll(gadget, "GROUP", group),
	})))
	f.deleteCRDNow("gadgets." + group)
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "shop-config", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	drift, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	const gone = "it was applied before, and is missing"
	missing := map[string]string{}
	for _, c := range drift.Changes {
		if c.Action == diff.Created {
			missing[c.Object.Kind] = c.Reason
		}
		for _, field := range c.Fields {
			if field.Cause == diff.Drift {
				t.Errorf("%s is missing, and has drift at %s", c.Object, field.Path)
			}
		}
	}
	if len(missing) != 2 || missing["ConfigMap"] != gone || missing["Gadget"] != gone {
		t.Errorf("the drift is %v", missing)
	}
	p, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	if err != nil || !errors.Is(p.Err(), engine.ErrUnknownKind) {
		t.Errorf("the correction: %v, %v", err, p)
	}
}
