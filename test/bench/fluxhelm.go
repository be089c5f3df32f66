package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/fluxcd/pkg/ssa"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/client-go/rest"
)

// fluxHelm deploys as Flux's helm-controller does: with Helm's SDK, waiting, and
// for a release that has not changed it reads the newest revision and compares each
// of its objects by a dry-run of server-side apply (its drift detection).
type fluxHelm struct {
	*helm3
	flux *flux
}

func newFluxHelm(config *rest.Config) (*fluxHelm, error) {
	f, err := newFlux(config, defaultInFlight, nil)
	return &fluxHelm{newHelm3(config, ""), f}, err
}

func (f *fluxHelm) do(ctx context.Context, t task) (int, error) {
	if t.Op != opNone {
		return f.helm3.do(ctx, t)
	}
	cfg, err := f.configuration(t.Namespace)
	if err != nil {
		return 0, err
	}
	last, err := cfg.Releases.Last(t.Release)
	if err != nil {
		return 0, err
	}
	objects, err := ssautil.ReadObjects(strings.NewReader(last.Manifest))
	if err != nil {
		return 0, err
	}
	for _, o := range objects {
		if o.GetNamespace() == "" { // all are namespaced
			o.SetNamespace(t.Namespace)
		}
		// The marks that Helm gives when it applies.
		o.SetLabels(withEntry(o.GetLabels(), "app.kubernetes.io/managed-by", "Helm"))
		o.SetAnnotations(withEntry(withEntry(o.GetAnnotations(), "meta.helm.sh/release-name", t.Release), "meta.helm.sh/release-namespace", t.Namespace))
		entry, _, _, err := f.flux.manager.Diff(ctx, o, ssa.DefaultDiffOptions())
		if err != nil {
			return 0, err
		}
		if entry.Action != ssa.UnchangedAction && entry.Action != ssa.ConfiguredAction {
			return 0, fmt.Errorf("%s: unexpected action %s", entry.Subject, entry.Action)
		}
	}
	return 0, nil
}

func withEntry(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
