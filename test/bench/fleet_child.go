package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"

	"github.com/fairlead-dev/fairlead/engine"
)

// fleetPeer is a peer that works on many releases in its own way.
type fleetPeer interface {
	// fleet runs the tasks, workers at once, and returns when all are done; restored
	// is how long each took, where the tasks are opDrift.
	fleet(ctx context.Context, tasks []task, workers int) (restored []time.Duration, err error)
}

// doFleet runs the tasks, workers at once.
func doFleet(ctx context.Context, p peer, tasks []task, workers int) ([]time.Duration, error) {
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
	return nil, group.Wait()
}

// passes is a controller over Engine.Reconcile: a queue and workers, none of which
// waits for a release.
type passes struct {
	*fairlead
	// outside are requests of another client, which are not counted. It is set
	// where the engine watches and remembers.
	outside kubernetes.Interface

	mu    sync.Mutex
	queue workqueue.TypedDelayingInterface[engine.Key] // of the tasks that run; nil: none
}

func newPasses(config *rest.Config) (*passes, error) {
	f, err := newFairlead(config, engine.Options{Concurrency: defaultInFlight})
	return &passes{fairlead: f}, err
}

// newWatching returns passes with Options.Cache, while Engine.Watch says which
// releases are touched.
func newWatching(config, outside *rest.Config) (*passes, error) {
	f, err := newFairlead(config, engine.Options{Concurrency: defaultInFlight, Cache: true})
	if err != nil {
		return nil, err
	}
	p := &passes{fairlead: f}
	if p.outside, err = kubernetes.NewForConfig(outside); err != nil {
		return nil, err
	}
	go func() {
		for t, err := range p.engine.Watch(context.Background(), engine.WatchOptions{}) {
			if err != nil {
				return // the passes go on by their own timers
			}
			p.mu.Lock()
			if p.queue != nil {
				p.queue.Add(t.Key)
			}
			p.mu.Unlock()
		}
	}()
	return p, nil
}

// fleetRun is one operation on a fleet.
type fleetRun struct {
	p        *passes
	queue    workqueue.TypedDelayingInterface[engine.Key]
	releases map[engine.Key]engine.Release
	drift    bool

	mu   sync.Mutex
	open map[engine.Key]bool
	done chan struct{} // closed when none is open
	err  error
}

func (p *passes) fleet(ctx context.Context, tasks []task, workers int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &fleetRun{
		p: p, queue: workqueue.NewTypedDelayingQueue[engine.Key](), releases: map[engine.Key]engine.Release{},
		drift: tasks[0].Op == opDrift, open: map[engine.Key]bool{}, done: make(chan struct{}),
	}
	for _, t := range tasks {
		release, err := p.release(t)
		if err != nil {
			return nil, err
		}
		r.releases[release.Key], r.open[release.Key] = release, true
	}
	p.serve(r.queue)
	defer p.serve(nil)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { r.work(ctx) })
	}
	var restored []time.Duration
	if r.drift {
		restored, r.err = p.driftAll(ctx, tasks)
	} else {
		for key := range r.releases {
			r.queue.Add(key)
		}
		<-r.done
	}
	r.queue.ShutDown()
	running.Wait()
	return restored, r.err
}

func (p *passes) serve(queue workqueue.TypedDelayingInterface[engine.Key]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = queue
}

func (r *fleetRun) work(ctx context.Context) {
	for {
		key, shutdown := r.queue.Get()
		if shutdown {
			return
		}
		if release, ok := r.releases[key]; ok {
			r.pass(ctx, release)
		}
		r.queue.Done(key)
	}
}

// pass is one pass over one release.
func (r *fleetRun) pass(ctx context.Context, release engine.Release) {
	var progress engine.Progress
	var err error
	if r.drift {
		progress, err = r.p.engine.ReconcileCorrection(ctx, release.Key, engine.ReconcileOptions{})
	} else {
		progress, err = r.p.engine.Reconcile(ctx, release, engine.ReconcileOptions{Timeout: waitLimit})
	}
	switch {
	case err == nil && progress.Phase == engine.PhaseDeployed && len(progress.Waiting) == 0:
	case err == nil && progress.Phase != engine.PhaseFailed && progress.Phase != engine.PhaseBlocked:
		r.queue.AddAfter(release.Key, progress.After)
		return
	case err == nil:
		err = fmt.Errorf("%s: %s: %w", release.Key, progress.Phase, progress.Err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.err == nil {
		r.err = err
	}
	if delete(r.open, release.Key); len(r.open) == 0 && !r.drift {
		select {
		case <-r.done:
		default:
			close(r.done)
		}
	}
}

// driftAll edits the ConfigMap of each task's release as another client, and
// returns how long each was other than the chart has it.
func (p *passes) driftAll(ctx context.Context, tasks []task) ([]time.Duration, error) {
	restored := make([]time.Duration, len(tasks))
	group, ctx := errgroup.WithContext(ctx)
	for i, t := range tasks {
		group.Go(func() (err error) {
			restored[i], err = p.driftOne(ctx, t)
			return err
		})
		time.Sleep(50 * time.Millisecond) // edits come one after the other
	}
	err := group.Wait()
	slices.Sort(restored)
	return restored, err
}

func (p *passes) driftOne(ctx context.Context, t task) (time.Duration, error) {
	maps := p.outside.CoreV1().ConfigMaps(t.Namespace)
	edited, err := maps.Patch(ctx, t.Release, types.MergePatchType, []byte(`{"data":{"change":"by hand"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	events, err := maps.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + t.Release, ResourceVersion: edited.ResourceVersion})
	if err != nil {
		return 0, err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if c, ok := event.Object.(*corev1.ConfigMap); ok && c.Data["change"] == t.Change {
			return time.Since(begun), nil
		}
	}
	return 0, fmt.Errorf("%s/%s: the edit was not undone within %v", t.Namespace, t.Release, waitLimit)
}
