package main

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
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
