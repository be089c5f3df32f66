package main

import (
	"context"
	"fmt"
	"os"

	chart3 "helm.sh/helm/v3/pkg/chart"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	util3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	sort3 "helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v4/pkg/chart/common"
	common4 "helm.sh/helm/v4/pkg/chart/common/util"
	chart4 "helm.sh/helm/v4/pkg/chart/v2"
	loader4 "helm.sh/helm/v4/pkg/chart/v2/loader"
	util4 "helm.sh/helm/v4/pkg/chart/v2/util"
	engine4 "helm.sh/helm/v4/pkg/engine"
	sort4 "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/fairlead-dev/fairlead/render"
)

// renderTask renders a chart with its defaults, from its folder to sorted
// objects, Times times. The chart is loaded only once.
type renderTask struct {
	Chart string `json:"chart"` // folder with a Chart.yaml
	Times int    `json:"times"`
}

// rendering renders a loaded chart once; count is the number of objects.
type rendering func(ctx context.Context) (count int, err error)

func (r *renderTask) do(ctx context.Context, peer string, loaded map[string]rendering) (count int, err error) {
	again := loaded[r.Chart]
	if again == nil {
		switch peer {
		case helm3Name:
			again, err = loadHelm3(r.Chart)
		case helm4Name:
			again, err = loadHelm4(r.Chart)
		case fairleadName:
			again, err = loadFairlead(r.Chart)
		default:
			err = fmt.Errorf("%s cannot render charts", peer)
		}
		if err != nil {
			return 0, err
		}
		loaded[r.Chart] = again
	}
	for range r.Times {
		if count, err = again(ctx); err != nil {
			return 0, err
		}
	}
	return count, nil
}

func loadFairlead(folder string) (rendering, error) {
	c, err := render.LoadFS(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int, error) {
		m, err := c.Render(ctx, render.Input{Name: releaseName, Namespace: "default", Revision: 1})
		if err != nil {
			return 0, err
		}
		return len(m.Objects) + len(m.Hooks), nil
	}, nil
}

// loadHelm3 renders as Helm's install does, up to the sorted manifests.
func loadHelm3(folder string) (rendering, error) {
	c, err := loader3.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (int, error) { return renderHelm3(c) }, nil
}

func renderHelm3(c *chart3.Chart) (int, error) {
	if err := util3.ProcessDependencies(c, map[string]any{}); err != nil {
		return 0, err
	}
	options := util3.ReleaseOptions{Name: releaseName, Namespace: "default", Revision: 1, IsInstall: true}
	values, err := util3.ToRenderValues(c, map[string]any{}, options, util3.DefaultCapabilities)
	if err != nil {
		return 0, err
	}
	files, err := engine3.Render(c, values)
	if err != nil {
		return 0, err
	}
	withoutNotes(files)
	hooks, manifests, err := sort3.SortManifests(files, nil, sort3.InstallOrder)
	return len(hooks) + len(manifests), err
}

func loadHelm4(folder string) (rendering, error) {
	c, err := loader4.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (int, error) { return renderHelm4(c) }, nil
}

func renderHelm4(c *chart4.Chart) (int, error) {
	if err := util4.ProcessDependencies(c, map[string]any{}); err != nil {
		return 0, err
	}
	options := common.ReleaseOptions{Name: releaseName, Namespace: "default", Revision: 1, IsInstall: true}
	values, err := common4.ToRenderValues(c, map[string]any{}, options, common.DefaultCapabilities)
	if err != nil {
		return 0, err
	}
	files, err := engine4.Render(c, values)
	if err != nil {
		return 0, err
	}
	withoutNotes(files)
	hooks, manifests, err := sort4.SortManifests(files, nil, sort4.InstallOrder)
	return len(hooks) + len(manifests), err
}
