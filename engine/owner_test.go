package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// All that can have it has the owner of the release: objects, hooks, revisions.
// Rollbacks keep it, a deploy without it removes it, and with the owner all goes.
func TestOwnerOfARelease(t *testing.T) {
	f := newFixture(t)
	of, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := f.chart(map[string]string{
		"config.yaml": configMap, "web.yaml": deployment, "hook.yaml": storedHook,
		"role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'role-{{ .Release.Namespace }}'}\n",
	})
	has := func(owned bool, names ...string) {
		t.Helper()
		for _, name := range names {
			var meta metav1.ObjectMeta
			switch kind, name, _ := strings.Cut(name, "/"); kind {
			case "ConfigMap":
				m, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				meta = m.ObjectMeta
			case "Deployment":
				d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				meta = d.ObjectMeta
			case "Secret":
				s, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				meta = s.ObjectMeta
			}
			if got := len(meta.OwnerReferences) == 1 && meta.OwnerReferences[0].UID == of.UID; got != owned || !owned && len(meta.OwnerReferences) > 0 {
				t.Errorf("%s has the owners %+v", name, meta.OwnerReferences)
			}
		}
	}
	r := f.release(c, "password=p")
	f.deploy(r)
	has(false, "ConfigMap/shop-config", "Deployment/shop", "ConfigMap/prepare", "Secret/sh.helm.release.v1.shop.v1")

	r = f.release(c, "password=p", "colour=red")
	r.Owner = &metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: of.UID}
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(p.Report.Notes, "\n"); !strings.Contains(notes, "not owned by ConfigMap owner, which can only own what is in its namespace: ClusterRole role-"+f.namespace) {
		t.Errorf("notes: %s", notes)
	}
	for _, ch := range p.Report.Changes {
		for _, field := range ch.Fields {
			if ch.Object.Kind != "ClusterRole" && field.Path == "metadata.ownerReferences" && field.Cause != "Chart" {
				t.Errorf("%s of %s changes for the cause %s", field.Path, ch.Object, field.Cause)
			}
		}
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	has(true, "ConfigMap/shop-config", "Deployment/shop", "ConfigMap/prepare", "Secret/sh.helm.release.v1.shop.v2")
	if p, err = f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil || p.Changed() {
		t.Errorf("planned again: %s, %v", p.Report.Summary(), err)
	}
	if drift, err := f.engine.Drift(f.ctx, f.key); err != nil || drift.Summary() != "no changes" {
		t.Errorf("drift: %s, %v", drift.Summary(), err)
	}

	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	has(true, "ConfigMap/shop-config", "Deployment/shop", "Secret/sh.helm.release.v1.shop.v3")
	r.Owner = nil
	f.deploy(r)
	has(false, "ConfigMap/shop-config", "Deployment/shop", "ConfigMap/prepare", "Secret/sh.helm.release.v1.shop.v4")
}

// With the owner its objects and its revisions go.
func TestOwnerIsDeleted(t *testing.T) {
	f := newFixture(t)
	of, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	r.Owner = &metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: of.UID}
	f.deploy(r)
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "owner", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		if _, err := f.engine.History(ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
			return fmt.Errorf("history: %v", err)
		}
		left, err := f.client.CoreV1().ConfigMaps(f.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
		if err != nil || len(left.Items) > 0 {
			return fmt.Errorf("%d objects are left: %v", len(left.Items), err)
		}
		return nil
	})
}

func TestOwnerIsChecked(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	r.Owner = &metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "owner"}
	if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("an owner without uid: %v", err)
	}
}

// A Secret owns revisions that are ConfigMaps as what it is.
func TestOwnerOfRevisionsInConfigMaps(t *testing.T) {
	f := newFixture(t)
	of, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := f.storedElsewhere(engine.Storage{Driver: engine.StorageConfigMaps})
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	r.Owner = &metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: of.Name, UID: of.UID}
	if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	revision, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "sh.helm.release.v1.shop.v1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := revision.OwnerReferences; len(got) != 1 || got[0].Kind != "Secret" || got[0].UID != of.UID {
		t.Errorf("the revision has the owners %+v", got)
	}
}
