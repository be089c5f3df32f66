package helm_test

import (
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// The engine lists, upgrades, rolls back and uninstalls releases of Helm, and
// Helm continues in between.
func TestTakesOver(t *testing.T) {
	withEach(t, func(f *fixture) {
		first := values{"colour": "red", "extra": true, "size": "big"}
		f.must("helm install", f.helm.install(f.ctx, f.folder, first))
		f.must("helm upgrade", f.helm.upgrade(f.ctx, f.folder, values{"tag": "2.0"}))

		listed, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
		f.must("list", err)
		if len(listed) != 1 || listed[0].Revision != 2 || listed[0].Status != engine.StatusDeployed || listed[0].Chart != "shop-1.2.3" {
			t.Errorf("list: %+v", listed)
		}
		f.wantSettled(values{"colour": "red", "extra": true, "size": "big", "tag": "2.0"})

		// A field, a port, an environment variable and an object are removed.
		f.deploy(values{"colour": "blue", "tag": "3.0"})
		f.wantConfig("shop-config", data("colour", "blue"))
		f.wantConfig("shop-extra", nil)
		f.wantImage("shop:3.0")
		f.wantSettled(values{"colour": "blue", "tag": "3.0"})
		f.wantHistory("1 superseded", "2 superseded", "3 deployed")

		_, err = f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
		f.must("roll back to Helm's first revision", err)
		f.wantConfig("shop-config", data("colour", "red", "size", "big"))
		f.wantConfig("shop-extra", data("extra", "yes"))
		f.wantImage("shop:1.0")
		f.wantSettled(first)

		f.must("helm upgrade, after", f.helm.upgrade(f.ctx, f.folder, values{"colour": "grey", "size": "", "extra": false}))
		f.wantConfig("shop-config", data("colour", "grey"))
		f.wantConfig("shop-extra", nil)
		f.wantHelmHistory("1 superseded Install complete", "2 superseded Upgrade complete", "3 superseded Upgrade complete",
			"4 superseded Rollback to 1", "5 deployed Upgrade complete")

		f.must("helm rollback", f.helm.rollback(3))
		f.wantConfig("shop-config", data("colour", "blue"))
		f.wantSettled(values{"colour": "blue", "tag": "3.0"})

		f.must("uninstall", f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}))
		f.wantGone()
		if listed, err := f.helm.list(); err != nil || len(listed) > 0 {
			t.Errorf("helm list after the uninstall: %+v, %v", listed, err)
		}
	})
}
