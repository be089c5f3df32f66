package helm_test

import (
	"context"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
)

type helm3 struct {
	cfg       *action.Configuration
	namespace string
}

func openHelm3(kubeconfig, namespace string) (helm, error) {
	cfg := new(action.Configuration)
	err := cfg.Init(getter(kubeconfig, namespace), namespace, "secret", func(string, ...any) {})
	return &helm3{cfg, namespace}, err
}

func (h *helm3) install(ctx context.Context, folder string, values map[string]any) error {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return err
	}
	install := action.NewInstall(h.cfg)
	install.ReleaseName, install.Namespace, install.Timeout = releaseName, h.namespace, hookTimeout
	_, err = install.RunWithContext(ctx, c, values)
	return err
}

func (h *helm3) dryRun(ctx context.Context, folder string, values map[string]any) (*revision, error) {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(h.cfg)
	install.ReleaseName, install.Namespace = releaseName, h.namespace
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	return revisionOf(install.RunWithContext(ctx, c, values))
}

func (h *helm3) upgrade(ctx context.Context, folder string, values map[string]any) error {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(h.cfg)
	upgrade.Namespace, upgrade.ReuseValues, upgrade.Timeout = h.namespace, true, hookTimeout
	_, err = upgrade.RunWithContext(ctx, releaseName, c, values)
	return err
}

func (h *helm3) rollback(revision int) error {
	rollback := action.NewRollback(h.cfg)
	rollback.Version, rollback.Timeout = revision, hookTimeout
	return rollback.Run(releaseName)
}

func (h *helm3) uninstall() error {
	uninstall := action.NewUninstall(h.cfg)
	uninstall.Timeout = hookTimeout
	_, err := uninstall.Run(releaseName)
	return err
}

func (h *helm3) list() ([]revision, error) { return revisionsOf(action.NewList(h.cfg).Run()) }

func (h *helm3) history() ([]revision, error) {
	return revisionsOf(action.NewHistory(h.cfg).Run(releaseName))
}

func (h *helm3) get(revision int) (*everything, error) {
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
