package sandbox

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dev/fairlead/internal/fairqueue"
	"github.com/fairlead-dev/fairlead/render"
)

// Pool keeps children ready. It is safe for concurrent use.
type Pool struct {
	options Options
	missing []string
	keys    atomic.Uint64

	// turns has a unit for each child, for which tenants take turns.
	turns *fairqueue.Queue
	// free has a slot for each child that could serve: one that is nil gets a new
	// child when it is taken.
	free   chan *worker
	spawn  *spawner
	closed chan struct{}
	close  sync.Once
}

var errClosed = errors.New("the pool is closed")

// New starts the children. It fails with an [*UnsupportedError] where they cannot
// be confined, and where the program's main does not begin with [Main]. Close the
// pool to end them.
func New(options Options) (*Pool, error) {
	if !supported {
		return nil, &UnsupportedError{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH}
	}
	if isChild(os.Args) {
		return nil, errors.New("sandbox.New in a child: main must begin with sandbox.Main()")
	}
	options = options.withDefaults()
	spawn, first, err := newSpawner(options)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		options: options, spawn: spawn, turns: fairqueue.New(int64(options.Children)),
		free: make(chan *worker, options.Children), closed: make(chan struct{}),
	}
	workers := make([]*worker, options.Children)
	failed := make([]error, options.Children)
	var started sync.WaitGroup
	workers[0] = first
	for i := 1; i < options.Children; i++ {
		started.Go(func() { workers[i], failed[i] = spawn.start() })
	}
	started.Wait()
	for _, w := range workers {
		p.free <- w
	}
	if err := errors.Join(failed...); err != nil {
		p.Close()
		return nil, failed[slices.IndexFunc(failed, func(err error) bool { return err != nil })]
	}
	p.missing = workers[0].missing
	if len(p.missing) > 0 && !options.BestEffort {
		p.Close()
		return nil, &UnsupportedError{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Missing: p.missing, Err: spawn.refused}
	}
	return p, nil
}

// Missing lists what the kernel does not have or does not allow, as in
// [UnsupportedError]: without Options.BestEffort, nothing.
func (p *Pool) Missing() []string { return slices.Clone(p.missing) }

// Close kills the children and waits until they have ended. Renders that run
// fail, and so do those that follow.
func (p *Pool) Close() error {
	p.close.Do(func() {
		close(p.closed)
		p.spawn.killAll()
		for range p.options.Children {
			if w := <-p.free; w != nil {
				w.end()
			}
		}
		p.spawn.stop()
	})
	return nil
}

// take waits for a child. It must be given back.
func (p *Pool) take(ctx context.Context) (w *worker, err error) {
	select {
	case <-p.closed:
		return nil, errClosed
	default:
	}
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.turns.Release(1)
		}
	}()
	select {
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case w = <-p.free:
	}
	if w != nil && !w.dead() {
		return w, nil
	}
	if w != nil {
		w.end()
	}
	w, err = p.spawn.start()
	if err != nil {
		p.free <- nil
		return nil, err
	}
	return w, nil
}

// turn waits for the tenant's turn to have a child.
func (p *Pool) turn(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waits := make(chan struct{})
	defer close(waits)
	go func() {
		select {
		case <-p.closed:
			cancel(errClosed)
		case <-waits:
		}
	}()
	return p.turns.Acquire(ctx, render.TenantOf(ctx), 1)
}

// give gives a child back. One that has died, or that is to be used no more, is
// replaced in the background.
func (p *Pool) give(w *worker, healthy bool) {
	defer p.turns.Release(1)
	if healthy && !w.dead() {
		p.free <- w
		return
	}
	go func() {
		w.end()
		next, err := p.spawn.start()
		if err != nil {
			next = nil // the next call tries it again, and returns the error
		}
		p.free <- next
	}()
}

// call has one conversation with a child, which is killed when the context ends.
// The time counts from when there is a child; within it, the child keeps the limit
// itself, and it gets half as much again to say so. op and chart are for errors.
func (p *Pool) call(ctx context.Context, op, chart string, limit time.Duration, talk func(context.Context, *worker) error) error {
	w, err := p.take(ctx)
	if err != nil {
		return &render.Error{Op: op, Chart: chart, Err: err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit+limit/2+time.Second, &render.LimitError{Limit: "Time", Max: int64(limit)})
	defer cancel()
	stop := context.AfterFunc(ctx, w.kill)
	err = talk(ctx, w)
	if !stop() {
		w.kill() // the context has ended
	}
	var broken *brokenError
	if !errors.As(err, &broken) {
		p.give(w, ctx.Err() == nil && !w.worn(err))
		return err
	}
	w.end()
	death := w.death(broken, p.options)
	p.give(w, false)
	e := &render.Error{Op: op, Chart: chart, Err: death, Hint: "look at what the chart does before you raise the limit in sandbox.Options"}
	switch {
	case ctx.Err() != nil:
		e.Err, e.Hint = context.Cause(ctx), ""
	case p.isClosed():
		e.Err, e.Hint = errClosed, ""
	}
	return e
}

func (p *Pool) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}
