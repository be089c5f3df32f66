package helm_test

import (
	"maps"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/fairlead-dev/fairlead/engine"
)

// Labels that Helm has given to a release stay when the engine deploys it, and
// the other way round; both select by them.
func TestLabelsOfReleases(t *testing.T) {
	withEach(t, func(f *fixture) {
		h, ok := f.helm.(*helm3)
		if !ok {
			f.Skip("Helm 3 is enough: labels are stored alike")
		}
		c, err := loader.LoadDir(f.folder)
		f.must("load", err)
		install := action.NewInstall(h.cfg)
		install.ReleaseName, install.Namespace, install.Labels = releaseName, f.namespace, map[string]string{"team": "shop", "tier": "test"}
		_, err = install.RunWithContext(f.ctx, c, nil)
		f.must("helm install", err)

		r := f.release(map[string]any{"colour": "red"})
		r.Labels = map[string]string{"tier": "null", "commit": "0abc"}
		rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
		f.must("deploy", err)
		want := map[string]string{"team": "shop", "commit": "0abc"}
		if !maps.Equal(rev.Labels, want) {
			f.Errorf("labels after the deploy: %v", rev.Labels)
		}
		list := action.NewList(h.cfg)
		list.Selector = "team=shop,commit=0abc"
		if listed, err := list.Run(); err != nil || len(listed) != 1 || listed[0].Version != 2 {
			f.Errorf("helm list: %+v, %v", listed, err)
		}
		f.must("helm upgrade", f.helm.upgrade(f.ctx, f.folder, map[string]any{"colour": "blue"}))
		listed, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace, Selector: "commit=0abc"})
		if err != nil || len(listed) != 1 || listed[0].Revision != 3 || !maps.Equal(listed[0].Labels, want) {
			f.Errorf("list: %+v, %v", listed, err)
		}
	})
}
