package engine

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"
)

// limited runs functions concurrently, a bounded number at once. The first
// error ends the context of the others and is what wait answers. A goroutine
// takes one function after the other: a thousand requests by as many
// goroutines would spend a tenth of their time on growing stacks.
type limited struct {
	g       *errgroup.Group
	ctx     context.Context
	work    chan func(context.Context) error
	more    int   // workers that may still be started
	refused error // why a function was not run, if one was not
}

func newLimited(ctx context.Context, n int) *limited {
	g, ctx := errgroup.WithContext(ctx)
	return &limited{g: g, ctx: ctx, work: make(chan func(context.Context) error), more: n}
}

// do hands f over as soon as somebody is free for it. It is for one goroutine
// alone, which calls wait at the end.
func (l *limited) do(f func(context.Context) error) {
	select {
	case l.work <- f:
		return
	default:
	}
	if l.more > 0 {
		l.more--
		l.g.Go(func() error { return l.takeOn(f) })
		return
	}
	select {
	case l.work <- f:
	case <-l.ctx.Done():
		l.refused = l.ctx.Err()
	}
}

// takeOn runs f, then what comes, until there is no more or an error.
func (l *limited) takeOn(f func(context.Context) error) error {
	for ; f != nil; f = <-l.work {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if err := f(l.ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *limited) wait() error {
	close(l.work)
	return cmp.Or(l.g.Wait(), l.refused)
}

// together runs a few functions at once and answers the first error.
func together(ctx context.Context, fs ...func(context.Context) error) error {
	l := newLimited(ctx, len(fs))
	for _, f := range fs {
		l.do(f)
	}
	return l.wait()
}
