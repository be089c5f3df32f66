package main

import (
	"context"
	"fmt"
	"sync"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/client-go/rest"
)

// helm3 deploys with the SDK of Helm 3. Configurations and charts are cached.
type helm3 struct {
	config *rest.Config
	caches caches

	mu      sync.Mutex
	configs map[string]*action.Configuration // by namespace
	charts  map[string]*chart.Chart          // by folder
}

func newHelm3(config *rest.Config, cacheDir string) *helm3 {
	return &helm3{config: config, caches: caches{dir: cacheDir}, configs: map[string]*action.Configuration{}, charts: map[string]*chart.Chart{}}
}

func (h *helm3) configuration(namespace string) (*action.Configuration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.configs[namespace]; c != nil {
		return c, nil
	}
	c := new(action.Configuration)
	err := c.Init(&getter{h.config, namespace, &h.caches}, namespace, "secret", func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	h.configs[namespace] = c
	return c, nil
}

func (h *helm3) chart(folder string) (*chart.Chart, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.charts[folder]; c != nil {
		return c, nil
	}
	c, err := loader.LoadDir(folder + "/chart")
	if err != nil {
		return nil, err
	}
	h.charts[folder] = c
	return c, nil
}

func (h *helm3) do(ctx context.Context, t task) (int, error) {
	cfg, err := h.configuration(t.Namespace)
	if err != nil {
		return 0, err
	}
	switch t.Op {
	case opInstall, opInstallWait, opPlan, opNone, opChange:
		c, err := h.chart(t.Folder)
		if err != nil {
			return 0, err
		}
		values := map[string]any{"change": t.Change}
		if t.Op == opInstall || t.Op == opInstallWait {
			install := action.NewInstall(cfg)
			install.ReleaseName, install.Namespace = t.Release, t.Namespace
			install.Wait, install.Timeout = t.Op == opInstallWait, waitLimit
			_, err = install.RunWithContext(ctx, c, values)
			return 0, err
		}
		upgrade := action.NewUpgrade(cfg)
		upgrade.Namespace = t.Namespace
		upgrade.MaxHistory = t.keep()
		if t.Op == opPlan {
			upgrade.DryRun, upgrade.DryRunOption = true, "server"
		}
		_, err = upgrade.RunWithContext(ctx, t.Release, c, values)
		return 0, err
	case opRollback:
		rollback := action.NewRollback(cfg)
		rollback.MaxHistory = t.keep()
		return 0, rollback.Run(t.Release)
	case opUninstall:
		_, err := action.NewUninstall(cfg).Run(t.Release)
		return 0, err
	case opList:
		list := action.NewList(cfg)
		list.StateMask = action.ListAll
		found, err := list.Run()
		return len(found), err
	case opHistory:
		found, err := action.NewHistory(cfg).Run(t.Release)
		return len(found), err
	case opRevise:
		return 0, h.revise(cfg, t)
	}
	return 0, fmt.Errorf("Helm 3 does not support %q", t.Op)
}

// revise copies the newest revision until there are t.Revisions.
func (h *helm3) revise(cfg *action.Configuration, t task) error {
	last, err := cfg.Releases.Last(t.Release)
	if err != nil {
		return err
	}
	for v := last.Version + 1; v <= t.Revisions; v++ {
		last.Info.Status = release.StatusSuperseded
		if err := cfg.Releases.Update(last); err != nil {
			return err
		}
		last.Version, last.Info.Status = v, release.StatusDeployed
		if err := cfg.Releases.Create(last); err != nil {
			return err
		}
	}
	return nil
}
