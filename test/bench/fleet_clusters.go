package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// clustersCount is how many engines clusters has.
const clustersCount = 20

// clusters is passes over several engines in one process, each for the releases of
// some namespaces, as if these were clusters: connections, discovery and schemas
// are each engine's own.
type clusters struct {
	config *rest.Config
	mu     sync.Mutex
	known  map[string]*passes // by namespace
	all    []*passes
}

func newClusters(config *rest.Config) *clusters {
	return &clusters{config: config, known: map[string]*passes{}}
}

func (c *clusters) do(ctx context.Context, t task) (int, error) {
	p, err := c.of(t)
	if err != nil {
		return 0, err
	}
	return p.do(ctx, t)
}

// of returns the passes of a task's cluster.
func (c *clusters) of(t task) (*passes, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.known[t.Namespace]; p != nil {
		return p, nil
	}
	if n := len(c.known); n >= clustersCount {
		c.known[t.Namespace] = c.all[n%clustersCount]
		return c.known[t.Namespace], nil
	}
	f, err := newFairlead(rest.CopyConfig(c.config), engine.Options{Concurrency: defaultInFlight})
	if err != nil {
		return nil, err
	}
	p := &passes{fairlead: f}
	c.known[t.Namespace], c.all = p, append(c.all, p)
	return p, nil
}

// fleet runs the tasks of all clusters, the workers divided among them.
func (c *clusters) fleet(ctx context.Context, tasks []task, workers int) ([]time.Duration, error) {
	parts := map[*passes][]task{}
	for _, t := range tasks {
		p, err := c.of(t)
		if err != nil {
			return nil, err
		}
		parts[p] = append(parts[p], t)
	}
	var group errgroup.Group
	each := max(1, workers/len(parts))
	for p, part := range parts {
		group.Go(func() error {
			_, err := p.fleet(ctx, part, each)
			return err
		})
	}
	return nil, group.Wait()
}
