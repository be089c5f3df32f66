package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"

	"github.com/fairlead-dev/fairlead/engine"
)

// fleetPeer is a peer that works on many releases in its own way.
type fleetPeer interface {
	// fleet runs the tasks, workers at once, and returns when all are done.
	fleet(ctx context.Context, tasks []task, workers int) error
}

// doFleet runs the tasks, workers at once.
func doFleet(ctx context.Context, p peer, tasks []task, workers int) error {
	if p, ok := p.(fleetPeer); ok {
		return p.fleet(ctx, tasks, workers)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, t := range tasks {
		group.Go(func() error {
			_, err := p.do(ctx, t)
			return err
		})
	}
	return group.Wait()
}

// passes is a controller over Engine.Reconcile: a queue and workers, none of which
// waits for a release.
type passes struct {
	*fairlead
}

func newPasses(config *rest.Config) (*passes, error) {
	f, err := newFairlead(config, defaultInFlight)
	return &passes{f}, err
}

func (p *passes) fleet(ctx context.Context, tasks []task, workers int) error {
	releases := make([]engine.Release, len(tasks))
	for i, t := range tasks {
		r, err := p.release(t)
		if err != nil {
			return err
		}
		releases[i] = r
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := workqueue.NewTypedDelayingQueue[int]()
	var open sync.WaitGroup
	for i := range releases {
		open.Add(1)
		queue.Add(i)
	}
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for {
				i, shutdown := queue.Get()
				if shutdown {
					return
				}
				done, err := p.pass(ctx, queue, i, releases[i])
				if err != nil {
					cancel(err)
				}
				if queue.Done(i); done {
					open.Done()
				}
			}
		})
	}
	open.Wait()
	queue.ShutDown()
	running.Wait()
	return context.Cause(ctx)
}

// pass is one pass over one release. done reports whether it was the last.
func (p *passes) pass(ctx context.Context, queue workqueue.TypedDelayingInterface[int], i int, r engine.Release) (done bool, err error) {
	if ctx.Err() != nil {
		return true, nil
	}
	progress, err := p.engine.Reconcile(ctx, r, engine.ReconcileOptions{Timeout: waitLimit})
	switch {
	case err != nil:
		return true, fmt.Errorf("%s: %w", r.Key, err)
	case progress.Phase == engine.PhaseDeployed && len(progress.Waiting) == 0:
		return true, nil
	case progress.Phase == engine.PhaseFailed, progress.Phase == engine.PhaseBlocked:
		return true, fmt.Errorf("%s: %s: %w", r.Key, progress.Phase, errors.Join(progress.Err))
	}
	queue.AddAfter(i, progress.After)
	return false, nil
}
