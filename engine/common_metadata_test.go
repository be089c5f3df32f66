package engine_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

// Common labels and annotations are on all objects, hooks included, but neither in
// selectors nor in pod templates; they are in the history, and go when they are
// no longer given.
func TestCommonLabelsAndAnnotations(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"config.yaml": configMap, "web.yaml": deployment, "hook.yaml": storedHook,
		"list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: item, labels: {team: chart, own: kept}}}\n",
	})
	r := f.release(c, "password=p")
	f.deploy(r)
	before, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	r.CommonLabels, r.CommonAnnotations = map[string]string{"team": "shop"}, map[string]string{"example.com/cost": "42"}
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	has := func(name, team, cost string) {
		t.Helper()
		m, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Labels["team"] != team || m.Annotations["example.com/cost"] != cost || m.Labels["app.kubernetes.io/managed-by"] != "Helm" {
			t.Errorf("ConfigMap %s has labels %v and annotations %v", name, m.Labels, m.Annotations)
		}
	}
	for _, name := range []string{"prepare", "item"} {
		has(name, "shop", "42")
	}
	web, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if web.Labels["team"] != "shop" || !reflect.DeepEqual(web.Spec, before.Spec) {
		t.Errorf("the Deployment has labels %v, and the spec %+v after %+v", web.Labels, web.Spec, before.Spec)
	}
	stored, err := f.engine.Get(f.ctx, f.key, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range stored.Objects {
		if o.GetLabels()["team"] != "shop" || o.GetAnnotations()["example.com/cost"] != "42" {
			t.Errorf("%s is stored with labels %v", o.ID(), o.GetLabels())
		}
	}
	if drift, err := f.engine.Drift(f.ctx, f.key); err != nil || drift.Summary() != "no changes" {
		t.Errorf("drift: %s, %v", drift.Summary(), err)
	}
	if p, err = f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil || p.Changed() {
		t.Errorf("planned again: %s, %v", p.Report.Summary(), err)
	}

	r.CommonLabels, r.CommonAnnotations = nil, nil
	f.deploy(r)
	has("item", "chart", "")
	if _, err := f.engine.Rollback(f.ctx, f.key, 2, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	has("item", "shop", "42")
}

func TestCommonMetadataIsChecked(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	for name, c := range map[string]struct{ labels, annotations map[string]string }{
		"no value":        {labels: map[string]string{"a": "b c"}},
		"no key":          {annotations: map[string]string{"a b": ""}},
		"Helm's label":    {labels: map[string]string{"app.kubernetes.io/managed-by": "me"}},
		"Helm's hook":     {annotations: map[string]string{"helm.sh/hook": "pre-install"}},
		"another release": {annotations: map[string]string{"meta.helm.sh/release-name": "other"}},
		"too much":        {annotations: map[string]string{"a": strings.Repeat("x", 300<<10)}},
	} {
		r.CommonLabels, r.CommonAnnotations = c.labels, c.annotations
		if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
