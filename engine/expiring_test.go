package engine_test

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// expiring is a context whose deadline comes when expire is called, or its parent
// ends, and not after a time in which a busy machine may not get far.
type expiring struct {
	context.Context
	done chan struct{}
	once sync.Once
}

func newExpiring(parent context.Context) *expiring {
	c := &expiring{Context: parent, done: make(chan struct{})}
	context.AfterFunc(parent, c.expire)
	return c
}

func (c *expiring) expire() { c.once.Do(func() { close(c.done) }) }

func (c *expiring) Done() <-chan struct{} { return c.done }

func (c *expiring) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// expiringWait is an engine, and a context that expires when the engine waits for
// the object of that name.
func (f *fixture) expiringWait(name string) (*engine.Engine, context.Context) {
	f.Helper()
	ctx := newExpiring(f.ctx)
	f.Cleanup(ctx.expire)
	e, err := engine.New(f.config, engine.Options{LeaseDuration: 3 * time.Second, OnEvent: func(e engine.Event) {
		f.events.add(e)
		if w, ok := e.(engine.Waiting); ok && w.Object.Name == name {
			ctx.expire()
		}
	}})
	if err != nil {
		f.Fatal(err)
	}
	return e, ctx
}
