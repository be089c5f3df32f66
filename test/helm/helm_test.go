package helm_test

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
)

// helm is one version of Helm for the release in one namespace, through its
// action package with its default settings.
type helm interface {
	install(ctx context.Context, folder string, values map[string]any) error
	// upgrade merges the given values over those of the last revision, as with
	// --reuse-values.
	upgrade(ctx context.Context, folder string, values map[string]any) error
	rollback(revision int) error
	uninstall() error
	list() ([]revision, error)
	history() ([]revision, error)
	get(revision int) (*everything, error)
	// dryRun returns what an install of this Helm would record.
	dryRun(ctx context.Context, folder string, values map[string]any) (*revision, error)
}

// helms opens each version, by name. Helm 4 uses server-side apply by default,
// and client-side apply if configured.
var helms = map[string]func(kubeconfig, namespace string) (helm, error){
	"Helm3": openHelm3,
	"Helm4": func(kubeconfig, namespace string) (helm, error) {
		return openHelm4(kubeconfig, namespace, true)
	},
	"Helm4ClientSide": func(kubeconfig, namespace string) (helm, error) {
		return openHelm4(kubeconfig, namespace, false)
	},
}

// everything is the output of "helm get all" and "helm get metadata".
type everything struct {
	revision
	Values, AllValues map[string]any
	Metadata          struct {
		Name, Chart, Version, AppVersion, Namespace, Status, ApplyMethod string
		Revision                                                         int
	}
}

// revision is the common part of both versions' releases.
type revision struct {
	Name, Namespace string
	Version         int
	Manifest        string
	Chart           struct {
		Metadata struct{ Name, Version, AppVersion, Description string }
	}
	Info  struct{ Status, Description, Notes string }
	Hooks []struct {
		Name, Kind, Path, Manifest string
		Events                     []string
		Weight                     int
		DeletePolicies             []string `json:"delete_policies"`
	}
}

// revisionsOf converts releases of either version, which have the same JSON.
func revisionsOf[T any](releases []T, err error) ([]revision, error) {
	if err != nil {
		return nil, err
	}
	var out []revision
	return out, as(releases, &out)
}

func revisionOf(release any, err error) (*revision, error) {
	if err != nil {
		return nil, err
	}
	out := &revision{}
	return out, as(release, out)
}

func as(from, into any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encode Helm's releases: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("decode Helm's releases: %w", err)
	}
	return nil
}

func getter(kubeconfig, namespace string) genericclioptions.RESTClientGetter {
	flags := genericclioptions.NewConfigFlags(false)
	*flags.KubeConfig, *flags.Namespace = kubeconfig, namespace
	return flags.WithWrapConfigFn(func(c *rest.Config) *rest.Config { c.QPS = -1; return c })
}
