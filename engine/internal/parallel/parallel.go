// Package parallel runs functions beside each other, a bounded number at once.
//
// It is errgroup with goroutines that are used again: a goroutine for each of a
// thousand requests spends a good part of its time on growing its stack.
package parallel

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"
)

// Group runs functions concurrently, a bounded number at once. The first error
// ends the context of the others.
type Group struct {
	g       *errgroup.Group
	ctx     context.Context
	work    chan func(context.Context) error
	more    int   // goroutines that may still be started
	refused error // why a function was not run, if one was not
}

// New returns a group that runs up to n functions at once.
func New(ctx context.Context, n int) *Group {
	g, ctx := errgroup.WithContext(ctx)
	return &Group{g: g, ctx: ctx, work: make(chan func(context.Context) error), more: n}
}

// Do returns when f has begun, or will not be run because the group's context
// has ended. It must be called by one goroutine alone, which calls Wait at the
// end.
func (g *Group) Do(f func(context.Context) error) {
	select {
	case g.work <- f:
		return
	default:
	}
	if g.more > 0 {
		g.more--
		g.g.Go(func() error { return g.worker(f) })
		return
	}
	select {
	case g.work <- f:
	case <-g.ctx.Done():
		g.refused = g.ctx.Err()
	}
}

// worker runs f, then further functions, until there are no more or one fails.
func (g *Group) worker(f func(context.Context) error) error {
	for ; f != nil; f = <-g.work {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		if err := f(g.ctx); err != nil {
			return err
		}
	}
	return nil
}

// Wait returns the first error when all functions have returned; if there is
// none, the context's if a function was not run.
func (g *Group) Wait() error {
	close(g.work)
	return cmp.Or(g.g.Wait(), g.refused)
}

// All runs a few functions at once and returns the first error.
func All(ctx context.Context, fs ...func(context.Context) error) error {
	g := New(ctx, len(fs))
	for _, f := range fs {
		g.Do(f)
	}
	return g.Wait()
}
