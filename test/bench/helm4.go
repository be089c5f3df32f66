package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/client-go/rest"
)

// helm4 deploys with the SDK of Helm 4, by server-side apply. Configurations
// and charts are kept.
type helm4 struct {
	config *rest.Config
	caches caches

	mu      sync.Mutex
	configs map[string]*action.Configuration // by namespace
	charts  map[string]*chart.Chart          // by folder
}

func newHelm4(config *rest.Config, cacheDir string) *helm4 {
	return &helm4{config: config, caches: caches{dir: cacheDir}, configs: map[string]*action.Configuration{}, charts: map[string]*chart.Chart{}}
}

func (h *helm4) configuration(namespace string) (*action.Configuration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.configs[namespace]; c != nil {
		return c, nil
	}
	c := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	if err := c.Init(&getter{h.config, namespace, &h.caches}, namespace, "secret"); err != nil {
		return nil, err
	}
	h.configs[namespace] = c
	return c, nil
}

func (h *helm4) chart(folder string) (*chart.Chart, error) {
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

func (h *helm4) do(ctx context.Context, t task) (int, error) {
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
			install.ServerSideApply = true
			install.WaitStrategy, install.Timeout = kube.HookOnlyStrategy, waitLimit
			if t.Op == opInstallWait {
				install.WaitStrategy = kube.StatusWatcherStrategy
			}
			_, err = install.RunWithContext(ctx, c, values)
			return 0, err
		}
		upgrade := action.NewUpgrade(cfg)
		upgrade.Namespace = t.Namespace
		upgrade.ServerSideApply = "true"
		upgrade.WaitStrategy, upgrade.Timeout = kube.HookOnlyStrategy, waitLimit
		upgrade.MaxHistory = t.keep()
		if t.Op == opPlan {
			upgrade.DryRunStrategy = action.DryRunServer
		}
		_, err = upgrade.RunWithContext(ctx, t.Release, c, values)
		return 0, err
	case opRollback:
		rollback := action.NewRollback(cfg)
		rollback.ServerSideApply = "true"
		rollback.WaitStrategy, rollback.Timeout = kube.HookOnlyStrategy, waitLimit
		rollback.MaxHistory = t.keep()
		return 0, rollback.Run(t.Release)
	case opUninstall:
		uninstall := action.NewUninstall(cfg)
		uninstall.WaitStrategy, uninstall.Timeout = kube.HookOnlyStrategy, waitLimit
		_, err := uninstall.Run(t.Release)
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
	return 0, fmt.Errorf("Helm 4 does not know %q", t.Op)
}

// revise copies the newest revision until there are as many as wanted.
func (h *helm4) revise(cfg *action.Configuration, t task) error {
	found, err := cfg.Releases.Last(t.Release)
	if err != nil {
		return err
	}
	last, ok := found.(*release.Release)
	if !ok {
		return fmt.Errorf("a revision is a %T", found)
	}
	for v := last.Version + 1; v <= t.Revisions; v++ {
		last.Info.Status = common.StatusSuperseded
		if err := cfg.Releases.Update(last); err != nil {
			return err
		}
		last.Version, last.Info.Status = v, common.StatusDeployed
		if err := cfg.Releases.Create(last); err != nil {
			return err
		}
	}
	return nil
}
