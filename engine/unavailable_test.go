package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// While an aggregated API is down, whether its objects exist is not known: no
// call forgets them. The API that comes down is registered in place of a
// definition, so that it had an object before.
func TestUnknownIsNotGone(t *testing.T) {
	f := newFixtureAlone(t) // every other test's discovery would be incomplete
	g := &gadgets{f, f.namespace + ".example.com", nil}
	f.make(crds, "", g.definition([]string{"v1"}, size))
	f.deleteCRD("gadgets." + g.group)
	with := f.release(f.chart(map[string]string{"config.yaml": configMap, "gadget.yaml": g.gadget("v1", "size: 1")}))
	without := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := f.engine.Deploy(ctx, with, engine.ApplyOptions{})
		return err
	})
	f.deleteCRDNow("gadgets." + g.group)
	services := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(apiServices)
	name := "v1." + g.group
	service := &unstructured.Unstructured{}
	text := "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: " + name + "}\nspec: {group: " + g.group + ", version: v1, groupPriorityMinimum: 100, versionPriority: 10, insecureSkipTLSVerify: true, service: {name: nowhere, namespace: " + f.namespace + "}}\n"
	if err := yaml.Unmarshal([]byte(text), &service.Object); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // the definition's own one goes first
		_, err := services.Create(ctx, service, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() {
		if err := services.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		// Discovery lists it as stale a moment later.
		_, err := f.newEngine(f.config).Deploy(f.ctx, with, engine.ApplyOptions{})
		if !errors.Is(err, engine.ErrUnavailable) {
			return fmt.Errorf("the API is not down yet: %w", err)
		}
		return nil
	})
	e := f.newEngine(f.config)
	f.requests.Reset()
	_, err := e.Deploy(f.ctx, without, engine.ApplyOptions{})
	f.refused(err, engine.ErrUnavailable, "Gadget", "APIService "+name)
	f.refused(e.Uninstall(f.ctx, f.key, engine.ApplyOptions{}), engine.ErrUnavailable, "Gadget", "APIService "+name)
	_, err = e.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	f.refused(err, engine.ErrUnavailable, "APIService "+name)
	_, err = f.engine.Deploy(f.ctx, without, engine.ApplyOptions{}) // which knew the kind
	f.refused(err, engine.ErrUnavailable, "Gadget", "APIService "+name)
	f.wantHistory("1 deployed")

	// What the server says is not there is gone.
	if err := services.Delete(f.ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		_, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{})
		return err
	})
	f.wantSettled(without)
}

// An engine that lives long finds a kind that another client has installed since
// at once.
func TestKindOfOthersIsFoundAtOnce(t *testing.T) {
	g := newGadgets(t)
	r := g.release(g.chart(map[string]string{"gadget.yaml": g.gadget("v1", "size: 1")}))
	_, err := g.engine.Deploy(g.ctx, r, engine.ApplyOptions{})
	g.fixture.refused(err, engine.ErrUnknownKind, "Gadget")
	g.make(crds, "", g.definition([]string{"v1"}, size))
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // served to others
		_, err := dynamic.NewForConfigOrDie(g.cluster.Config()).Resource(schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}).List(ctx, metav1.ListOptions{})
		return err
	})
	begun := time.Now()
	testcluster.Eventually(t, time.Minute, func(context.Context) error { // discovery follows a moment later
		_, err := g.engine.Deploy(g.ctx, r, engine.ApplyOptions{})
		return err
	})
	t.Logf("found after %v", time.Since(begun))
	if g.live("v1").GetName() != "g" {
		t.Error("it is not there")
	}
	g.wantSettled(r)
}

// A conversion webhook that is down is named, with the object and what to do.
func TestConversionWebhookIsDown(t *testing.T) {
	g := newGadgets(t)
	g.make(crds, "", g.definition([]string{"v1", "v2"}, size))
	with := g.release(g.chart(map[string]string{"config.yaml": configMap, "gadget.yaml": g.gadget("v1", "size: 1")}))
	without := g.release(g.chart(map[string]string{"config.yaml": configMap}))
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		_, err := g.engine.Deploy(g.ctx, with, engine.ApplyOptions{})
		return err
	})
	convert := func(conversion string) {
		patch := []byte(`{"spec":{"conversion":` + conversion + `}}`)
		if _, err := g.crds.Patch(g.ctx, "gadgets."+g.group, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	convert(`{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://127.0.0.1:1/convert"}}}`)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := dynamic.NewForConfigOrDie(g.cluster.Config()).Resource(schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}).Namespace(g.namespace).Get(ctx, "g", metav1.GetOptions{})
		if err == nil {
			return errors.New("the API server does not ask the webhook yet")
		}
		return nil
	})
	g.requests.Reset()
	_, err := g.engine.Deploy(g.ctx, without, engine.ApplyOptions{})
	g.fixture.refused(err, engine.ErrUnavailable, "Gadget", "/g", "conversion webhook", "CustomResourceDefinition of Gadget."+g.group)
	convert(`{"strategy":"None","webhook":null}`)
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		_, err := g.engine.Deploy(g.ctx, without, engine.ApplyOptions{})
		return err
	})
	g.wantSettled(without)
	if strings.Contains(strings.Join(g.names(schema.GroupVersionResource{Group: g.group, Version: "v2", Resource: "gadgets"}), " "), "g") {
		t.Error("it is still there")
	}
}

// A quota that is exceeded as objects are written is called a quota.
func TestQuotaAtApply(t *testing.T) {
	f := newFixture(t)
	f.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/configmaps: '2'}}")
	c := f.chart(map[string]string{"a.yaml": numbered})
	_, err := f.engine.Deploy(f.ctx, f.release(c, "from=0,to=3"), engine.ApplyOptions{})
	var failed *engine.Error
	if !errors.Is(err, engine.ErrQuota) || errors.Is(err, engine.ErrForbidden) || !errors.As(err, &failed) || failed.Object.Kind != "ConfigMap" || failed.Object.Name == "" {
		t.Fatalf("%v", err)
	}
	for _, text := range []string{"exceeded quota: small", "raise the quota"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "permission") {
		t.Errorf("it speaks of permissions: %v", err)
	}
	r := f.release(c, "from=0,to=1")
	r.UnsafePrune = true
	if err := f.client.CoreV1().ResourceQuotas(f.namespace).Delete(f.ctx, "small", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error { // admission learns of it by its own watch
		_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
		return err
	})
	f.wantSettled(r)
}
