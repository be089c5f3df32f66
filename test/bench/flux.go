package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// fluxPoll is how often Flux polls whether objects are ready. Its default is 5 s;
// this is in its favour.
const fluxPoll = 100 * time.Millisecond

// flux deploys objects with the library of Flux's kustomize-controller. It
// renders nothing and records nothing.
type flux struct {
	manager  *ssa.ResourceManager
	inFlight int
	objects  *objectCache
}

func newFlux(config *rest.Config, inFlight int, objects *objectCache) (*flux, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{HTTPClient: httpClient, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	poller := polling.NewStatusPoller(c, mapper, polling.Options{})
	m := ssa.NewResourceManager(c, poller, ssa.Owner{Field: "flux", Group: "flux.example"})
	m.SetConcurrency(inFlight)
	return &flux{manager: m, inFlight: inFlight, objects: objects}, nil
}

func (f *flux) do(ctx context.Context, t task) (int, error) {
	objects, err := f.objects.of(t)
	if err != nil {
		return 0, err
	}
	switch t.Op {
	case opInstall, opNone, opChange:
		_, err := f.manager.ApplyAll(ctx, objects, ssa.DefaultApplyOptions())
		return 0, err
	case opInstallWait:
		if _, err := f.manager.ApplyAll(ctx, objects, ssa.DefaultApplyOptions()); err != nil {
			return 0, err
		}
		return 0, f.manager.Wait(objects, ssa.WaitOptions{Interval: fluxPoll, Timeout: waitLimit})
	case opPlan:
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(f.inFlight)
		for _, o := range objects {
			group.Go(func() error {
				_, _, _, err := f.manager.Diff(ctx, o, ssa.DefaultDiffOptions())
				return err
			})
		}
		return 0, group.Wait()
	case opUninstall:
		_, err := f.manager.DeleteAll(ctx, objects, ssa.DefaultDeleteOptions())
		return 0, err
	}
	return 0, fmt.Errorf("Flux's library does not support %q", t.Op)
}
