package helm_test

import (
	"context"
	"log/slog"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
)

type helm4 struct {
	cfg        *action.Configuration
	namespace  string
	serverSide bool // for an install; other operations use the recorded method
}

// hookTimeout bounds each wait of Helm's. Without it Helm 3 waits without end for a
// hook that never completes, whatever its context says.
const hookTimeout = time.Minute

func openHelm4(kubeconfig, namespace string, serverSide bool) (helm, error) {
	cfg := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	err := cfg.Init(getter(kubeconfig, namespace), namespace, "secret")
	return &helm4{cfg, namespace, serverSide}, err
}

func (h *helm4) newInstall() *action.Install {
	install := action.NewInstall(h.cfg)
	install.ReleaseName, install.Namespace = releaseName, h.namespace
	install.ServerSideApply = h.serverSide
	install.WaitStrategy, install.Timeout = kube.HookOnlyStrategy, hookTimeout
	return install
}

func (h *helm4) install(ctx context.Context, folder string, values map[string]any) error {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return err
	}
	_, err = h.newInstall().RunWithContext(ctx, c, values)
	return err
}

func (h *helm4) dryRun(ctx context.Context, folder string, values map[string]any) (*revision, error) {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	install := h.newInstall()
	install.DryRunStrategy, install.Replace = action.DryRunClient, true
	return revisionOf(install.RunWithContext(ctx, c, values))
}

func (h *helm4) upgrade(ctx context.Context, folder string, values map[string]any) error {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(h.cfg)
	upgrade.Namespace, upgrade.ReuseValues = h.namespace, true
	upgrade.WaitStrategy, upgrade.Timeout = kube.HookOnlyStrategy, hookTimeout
	_, err = upgrade.RunWithContext(ctx, releaseName, c, values)
	return err
}

func (h *helm4) rollback(revision int) error {
	rollback := action.NewRollback(h.cfg)
	rollback.Version = revision
	rollback.WaitStrategy, rollback.Timeout = kube.HookOnlyStrategy, hookTimeout
	return rollback.Run(releaseName)
}

func (h *helm4) uninstall() error {
	uninstall := action.NewUninstall(h.cfg)
	uninstall.WaitStrategy, uninstall.Timeout = kube.HookOnlyStrategy, hookTimeout
	_, err := uninstall.Run(releaseName)
	return err
}

func (h *helm4) list() ([]revision, error) { return revisionsOf(action.NewList(h.cfg).Run()) }

func (h *helm4) history() ([]revision, error) {
	return revisionsOf(action.NewHistory(h.cfg).Run(releaseName))
}

func (h *helm4) get(revision int) (*everything, error) {
	get := action.NewGet(h.cfg)
	get.Version = revision
	found, err := revisionOf(get.Run(releaseName))
	if err != nil {
		return nil, err
	}
	out := &everything{revision: *found}
	values := action.NewGetValues(h.cfg)
	values.Version = revision
	if out.Values, err = values.Run(releaseName); err != nil {
		return nil, err
	}
	values.AllValues = true
	if out.AllValues, err = values.Run(releaseName); err != nil {
		return nil, err
	}
	metadata := action.NewGetMetadata(h.cfg)
	metadata.Version = revision
	m, err := metadata.Run(releaseName)
	if err != nil {
		return nil, err
	}
	return out, as(m, &out.Metadata)
}
