package helm_test

import (
	"testing"

	"helm.sh/helm/v3/pkg/action"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// What Helm keeps in ConfigMaps is taken over and left to Helm again, as with
// Secrets.
func TestConfigMapDriver(t *testing.T) {
	withEach(t, func(f *fixture) {
		h, ok := f.helm.(*helm3)
		if !ok {
			f.Skip("Helm 4 keeps ConfigMaps as Helm 3 does")
		}
		cluster := testcluster.Shared(f)
		h.cfg = new(action.Configuration)
		f.must("open Helm with ConfigMaps", h.cfg.Init(getter(cluster.Kubeconfig, f.namespace), f.namespace, "configmap", func(string, ...any) {}))
		var err error
		f.engine, err = engine.New(cluster.Config(), engine.Options{Storage: engine.Storage{Driver: engine.StorageConfigMaps}})
		f.must("open the engine", err)

		f.must("helm install", f.helm.install(f.ctx, f.folder, values{"colour": "red", "size": "big"}))
		p, err := f.engine.Plan(f.ctx, f.release(values{"colour": "red", "size": "big"}), engine.PlanOptions{})
		f.must("plan", err)
		if p.Changed() || p.From != 1 {
			f.Errorf("over Helm's install, the plan from revision %d changes %s", p.From, p.Report.Summary())
		}
		f.deploy(values{"colour": "blue"})
		f.wantHistory("1 superseded", "2 deployed")
		f.wantHelmHistory("1 superseded Install complete", "2 deployed Upgrade complete")
		got, err := f.helm.get(2)
		f.must("helm get", err)
		if got.Values["colour"] != "blue" {
			f.Errorf("helm get values: %v", got.Values)
		}
		f.must("helm upgrade", f.helm.upgrade(f.ctx, f.folder, values{"tag": "2.0"}))
		f.must("helm rollback", f.helm.rollback(2))
		stored, err := f.engine.Get(f.ctx, f.key, 4)
		f.must("get", err)
		if stored.Values.Map()["colour"] != "blue" || stored.Revision.Status != engine.StatusDeployed {
			f.Errorf("after Helm's rollback: %v", stored)
		}
		_, err = f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
		f.must("roll back", err)
		f.wantConfig("shop-config", data("colour", "red", "size", "big"))
		secrets, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
		f.must("list Secrets", err)
		if len(secrets.Items) > 0 {
			f.Errorf("%d Secrets are kept", len(secrets.Items))
		}
		f.must("helm uninstall", f.helm.uninstall())
		if listed, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace}); err != nil || len(listed) > 0 {
			f.Errorf("after Helm's uninstall: %v, %v", listed, err)
		}
	})
}
