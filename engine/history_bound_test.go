package engine_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// Failures in a row, each with an object of its own name, are bounded, and what
// only they wanted goes with them.
func TestHistoryOfFailuresIsBounded(t *testing.T) {
	f := newFixture(t)
	good := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	f.deploy(good)
	named := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: 'migrate-{{ .Release.Revision }}'}\nspec: {podSelector: {}}\n"
	opts := engine.ApplyOptions{History: 3}
	quota := "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/serviceaccounts: '0'}}"
	f.create(quota)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // admission learns of it by its own watch
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "try"}}
		_, err := f.client.CoreV1().ServiceAccounts(f.namespace).Create(ctx, account, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("the quota does not hold yet")
		}
		return nil
	})
	failing := f.release(f.chart(map[string]string{"config.yaml": configMap, "named.yaml": named, "account.yaml": noAccount}))
	for range 8 {
		if _, err := f.engine.Deploy(f.ctx, failing, opts); err == nil {
			t.Fatal("it did not fail")
		}
	}
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil || len(revisions) > 4 || revisions[0].Status != engine.StatusDeployed {
		t.Errorf("history is %v, %v", revisions, err)
	}
	policies := func() int {
		list, err := f.client.NetworkingV1().NetworkPolicies(f.namespace).List(f.ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	if n := policies(); n == 0 || n > 3 {
		t.Errorf("%d objects of attempts are left", n)
	}
	f.deploy(good)
	if n := policies(); n > 0 {
		t.Errorf("%d objects are orphaned", n)
	}
	f.wantConfigMaps("shop-config")
	f.wantSettled(good)
}

// Corrections of the same drift leave one revision.
func TestCorrectionsAreOneRevision(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap}), "colour=red"))
	f.deploy(r)
	for range 4 {
		f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":"blue"}}`)
		p, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	f.wantHistory("1 superseded", "2 superseded", "6 deployed")
	f.wantSettled(r)
}

// A failed deploy that is tried again and changes nothing is the same failure.
func TestSameFailureIsOneRevision(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	failing := f.release(f.chart(map[string]string{
		"config.yaml": configMap,
		"hook.yaml":   "apiVersion: batch/v1\nkind: Job\nmetadata: {name: check, annotations: {helm.sh/hook: post-upgrade}}\nspec: {backoffLimit: 0, template: {metadata: {annotations: {fairlead.dev/pod: crash-loop}}, spec: {restartPolicy: Never, containers: [{name: check, image: 'shop:1.0'}]}}}\n",
	}), "colour=red")
	for range 3 {
		rev, err := f.engine.Deploy(f.ctx, failing, engine.ApplyOptions{})
		if err == nil || rev == nil || rev.Revision != 2 || rev.Status != engine.StatusFailed {
			t.Fatalf("%+v, %v", rev, err)
		}
	}
	f.wantHistory("1 deployed", "2 failed")
	if cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{}); err != nil || cm.Data["colour"] != "red" {
		t.Errorf("live is %v, %v", cm.Data, err)
	}
	fixed := f.release(f.chart(map[string]string{"config.yaml": configMap}), "colour=red")
	f.deploy(fixed)
	f.wantSettled(fixed)
}

// Whatever a release goes through, its history keeps to the bound: failures of
// different states push out the oldest ones, and never the healthy revision.
func TestHistoryKeepsToItsBound(t *testing.T) {
	f := newFixture(t)
	opts := engine.ApplyOptions{History: 3}
	chart := f.chart(map[string]string{"config.yaml": configMap})
	f.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/serviceaccounts: '0'}}")
	failing := f.chart(map[string]string{"config.yaml": configMap, "account.yaml": noAccount})
	deploy := func(c *render.Chart, colour string, fails bool) {
		t.Helper()
		if _, err := f.engine.Deploy(f.ctx, f.release(c, "colour="+colour), opts); (err != nil) != fails {
			t.Fatalf("%s: %v", colour, err)
		}
		revisions, err := f.engine.History(f.ctx, f.key)
		if err != nil || len(revisions) > 3 || !slices.ContainsFunc(revisions, func(r engine.Revision) bool { return r.Status == engine.StatusDeployed }) {
			t.Errorf("after %s the history is %v, %v", colour, revisions, err)
		}
	}
	for _, colour := range []string{"red", "green", "blue", "black"} {
		deploy(chart, colour, false)
	}
	for _, colour := range []string{"a", "b", "c", "b", "b"} {
		deploy(failing, colour, true)
	}
	deploy(chart, "white", false)
	deploy(failing, "d", true)
	if _, err := f.engine.Rollback(f.ctx, f.key, 0, opts); err != nil {
		t.Fatal(err)
	}
	deploy(failing, "e", true)
	deploy(chart, "red", false)
	f.wantSettled(f.release(chart, "colour=red"))
}

const noAccount = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: none}\n"

// Corrections that fail in a row are one revision, and one that succeeds takes
// their place.
func TestFailedCorrectionsAreOneRevision(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap}), "colour=red"))
	f.deploy(r)
	broken := f.newEngine(testcluster.Inject(f.cluster.Config(), func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/configmaps/shop-config") && !r.URL.Query().Has("dryRun") {
			return verdict(r, apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "shop-config", nil)), nil
		}
		return nil, nil
	}))
	correct := func(e *engine.Engine) error {
		p, err := e.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Apply(f.ctx, p, engine.ApplyOptions{})
		return err
	}
	f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":"blue"}}`)
	for range 3 {
		if err := correct(broken); err == nil {
			t.Fatal("it did not fail")
		}
		f.wantHistory("1 superseded", "2 deployed", "3 failed")
	}
	for range 2 {
		if err := correct(f.engine); err != nil {
			t.Fatal(err)
		}
		f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":"blue"}}`)
		if err := correct(broken); err == nil {
			t.Fatal("it did not fail")
		}
	}
	if err := correct(f.engine); err != nil {
		t.Fatal(err)
	}
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil || len(revisions) != 3 {
		t.Errorf("history is %v, %v", revisions, err)
	}
	f.wantSettled(r)
}

// A retry of which the API server refuses the same object again has changed
// nothing.
func TestRefusedAgainIsOneRevision(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	f.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/serviceaccounts: '0'}}")
	r := f.release(f.chart(map[string]string{"config.yaml": configMap, "account.yaml": noAccount}), "colour=red")
	for range 3 {
		if rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); err == nil || rev.Revision != 2 {
			t.Fatalf("%v, %v", rev, err)
		}
	}
	f.wantHistory("1 deployed", "2 failed")
}
