package engine

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// limited runs functions concurrently, a bounded number at once. The first
// error ends the context of the others and is what wait answers.
type limited struct {
	g   *errgroup.Group
	ctx context.Context
}

func newLimited(ctx context.Context, n int) *limited {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(n)
	return &limited{g, ctx}
}

func (l *limited) do(f func(context.Context) error) {
	l.g.Go(func() error {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		return f(l.ctx)
	})
}

func (l *limited) wait() error { return l.g.Wait() }

// together runs a few functions at once and answers the first error.
func together(ctx context.Context, fs ...func(context.Context) error) error {
	l := newLimited(ctx, len(fs))
	for _, f := range fs {
		l.do(f)
	}
	return l.wait()
}
