package enginetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/enginetest"
	"github.com/fairlead-dev/fairlead/render"
)

var (
	shop = engine.Key{Namespace: "shop", Name: "web"}
	web  = diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
)

func newEngine(t *testing.T, opts engine.Options) (*enginetest.Cluster, *engine.Engine) {
	t.Helper()
	c := enginetest.New("shop")
	eng, err := c.Engine(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c, eng
}

func release(t *testing.T, set ...string) engine.Release {
	t.Helper()
	var layers []render.Layer
	for _, s := range set {
		layers = append(layers, render.FromSet(s))
	}
	values, err := render.MergeValues(layers...)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Release{Key: shop, Source: charts.WebApp(), Values: values}
}

// scale changes the replicas of the Deployment as another client.
func scale(t *testing.T, c *enginetest.Cluster, replicas int64) {
	t.Helper()
	err := c.Edit(web, "kubectl-edit", func(u *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(u.Object, replicas, "spec", "replicas"); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func withTime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// A release is deployed, found unchanged, changed, rolled back and uninstalled.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	var events []engine.Event
	c, eng := newEngine(t, engine.Options{OnEvent: func(e engine.Event) { events = append(events, e) }})
	rev, err := eng.Deploy(ctx, release(t, "replicas=2"), engine.ApplyOptions{})
	if err != nil || rev.Revision != 1 || rev.Status != engine.StatusDeployed {
		t.Fatalf("%+v, %v", rev, err)
	}
	if n, _, _ := unstructured.NestedInt64(c.Object(web).Object, "spec", "replicas"); n != 2 {
		t.Errorf("%d replicas", n)
	}
	if len(events) == 0 {
		t.Error("no events")
	}
	p, err := eng.Plan(ctx, release(t, "replicas=2"), engine.PlanOptions{})
	if err != nil || p.Changed() {
		t.Fatalf("%+v, %v", p.Report, err)
	}
	if _, err := eng.Deploy(ctx, release(t, "replicas=3"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	status, err := eng.Status(ctx, shop)
	if err != nil || !status.Ready || status.Revision.Revision != 2 {
		t.Errorf("%+v, %v", status, err)
	}
	if rev, err = eng.Rollback(ctx, shop, 1, engine.ApplyOptions{}); err != nil || rev.Revision != 3 {
		t.Fatalf("%+v, %v", rev, err)
	}
	history, err := eng.History(ctx, shop)
	if err != nil || len(history) != 3 {
		t.Errorf("%v, %v", history, err)
	}
	if err := eng.Uninstall(ctx, shop, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if c.Object(web) != nil {
		t.Error("the Deployment is left")
	}
}

// What others change is drift, and has an owner.
func TestDrift(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	if _, err := eng.Deploy(ctx, release(t, "replicas=2"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	scale(t, c, 5)
	report, err := eng.Drift(ctx, shop)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(report.Changes, func(c diff.Change) bool { return c.Object == web })
	if i < 0 || len(report.Changes[i].Fields) != 1 || report.Changes[i].Fields[0].Manager != "kubectl-edit" || report.Changes[i].Fields[0].Cause != diff.Drift {
		t.Fatalf("%+v", report)
	}
	var problems *engine.ProblemsError
	if _, err := eng.Deploy(ctx, release(t, "replicas=3"), engine.ApplyOptions{}); !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemConflict {
		t.Errorf("a conflict: %v", err)
	}
	p, err := eng.ReconcileCorrection(ctx, shop, engine.ReconcileOptions{})
	if err != nil || !p.Changed {
		t.Fatalf("%+v, %v", p, err)
	}
	if n, _, _ := unstructured.NestedInt64(c.Object(web).Object, "spec", "replicas"); n != 2 {
		t.Errorf("%d replicas", n)
	}
	c.Delete(web)
	if report, err = eng.Drift(ctx, shop); err != nil || !slices.ContainsFunc(report.Changes, func(c diff.Change) bool { return c.Object == web && c.Action == diff.Created }) {
		t.Errorf("%+v, %v", report, err)
	}
}

// A pass waits for what is held, and is done once it is released.
func TestHold(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	c.Hold(web)
	for range 3 {
		p, err := eng.Reconcile(ctx, release(t), engine.ReconcileOptions{})
		if err != nil || p.Phase != engine.PhaseProgressing || len(p.Waiting) != 1 || p.Waiting[0].Object != web {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	c.Release(web)
	p, err := eng.Reconcile(ctx, release(t), engine.ReconcileOptions{})
	if err != nil || p.Phase != engine.PhaseDeployed || len(p.Waiting) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	c.Hold(web)
	status, err := eng.Status(ctx, shop)
	if err != nil || status.Ready {
		t.Errorf("%+v, %v", status, err)
	}

	// A blocking call waits for it, too.
	_, err = eng.Deploy(ctx, release(t, "replicas=2"), engine.ApplyOptions{Timeout: 300 * time.Millisecond, OnFailure: engine.RollBack})
	var not *engine.NotReadyError
	if !errors.As(err, &not) {
		t.Errorf("the deploy ended with %v", err)
	}
	deployed := make(chan error)
	go func() {
		_, err := eng.Deploy(ctx, release(t, "replicas=4"), engine.ApplyOptions{})
		deployed <- err
	}()
	for { // until it waits
		if n, _, _ := unstructured.NestedInt64(c.Object(web).Object, "spec", "replicas"); n == 4 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	c.Release(web)
	if err := <-deployed; err != nil {
		t.Error(err)
	}
}

// Requests fail on demand: by verb, object and number.
func TestFaults(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "web", errors.New("not today"))
	c.Fail(enginetest.Fault{Verb: "patch", Object: web, Err: forbidden, Times: 1})
	_, err := eng.Deploy(ctx, release(t), engine.ApplyOptions{})
	var failed *engine.ApplyError
	if !errors.As(err, &failed) || !errors.Is(err, engine.ErrForbidden) {
		t.Fatalf("the deploy ended with %v", err)
	}
	if _, err := eng.Deploy(ctx, release(t), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Fail(enginetest.Fault{Verb: "list", Object: diff.Object{Kind: "Secret"}, Err: forbidden})
	if _, err := eng.History(ctx, shop); !errors.Is(err, engine.ErrForbidden) {
		t.Errorf("the history: %v", err)
	}
	c.Heal()
	if _, err := eng.History(ctx, shop); err != nil {
		t.Error(err)
	}
	c.Fail(enginetest.Fault{Verb: "patch", Object: diff.Object{Kind: "Service"}, DryRun: true, Err: apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "web", nil)})
	p, err := eng.Plan(ctx, release(t, "service.port=81"), engine.PlanOptions{})
	if err != nil || p.Err() == nil {
		t.Errorf("a plan with a problem: %+v, %v", p, err)
	}
}

// Custom resources have a definition, and hooks run.
func TestChartWithDefinitionAndHook(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":            {Data: []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n")},
		"crds/gadgets.yaml":     {Data: []byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.example.org}\nspec: {group: example.org, scope: Namespaced, names: {plural: gadgets, kind: Gadget}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}\n")},
		"templates/gadget.yaml": {Data: []byte("apiVersion: example.org/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {sizes: [1, 2]}\n")},
		"templates/secret.yaml": {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: one}\nstringData: {password: hidden}\n")},
		"templates/job.yaml":    {Data: []byte("apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := engine.Release{Key: engine.Key{Namespace: "fresh", Name: "shop"}, Source: chart, CreateNamespace: true}
	if _, err := eng.Deploy(ctx, r, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []diff.Object{
		{Group: "example.org", Version: "v1", Kind: "Gadget", Namespace: "fresh", Name: "one"},
		{Group: "batch", Version: "v1", Kind: "Job", Namespace: "fresh", Name: "migrate"},
	} {
		if c.Object(o) == nil {
			t.Errorf("no %s", o)
		}
	}
	if p, err := eng.Plan(ctx, r, engine.PlanOptions{}); err != nil || p.Changed() {
		t.Errorf("%+v, %v", p, err)
	}
}

// What others do shows in a watch.
func TestWatch(t *testing.T) {
	t.Parallel()
	ctx := withTime(t)
	c, eng := newEngine(t, engine.Options{})
	if _, err := eng.Deploy(ctx, release(t), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	found := false
	for touched, err := range eng.Watch(ctx, engine.WatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if touched.Key != shop {
			t.Fatalf("%+v", touched)
		}
		if slices.ContainsFunc(touched.Touches, func(t engine.Touch) bool { return t.Reason == engine.TouchDeleted && t.Object == web }) {
			return
		}
		if !found {
			found = true
			c.Delete(web)
		}
	}
	t.Error("the watch ended before it has seen the deletion")
}
