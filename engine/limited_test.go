package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestLimited(t *testing.T) {
	const functions, atOnce = 500, 4
	var running, most, ran atomic.Int32
	work := newLimited(t.Context(), atOnce)
	for range functions {
		work.do(func(context.Context) error {
			now := running.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			ran.Add(1)
			running.Add(-1)
			return nil
		})
	}
	if err := work.wait(); err != nil || ran.Load() != functions || most.Load() > atOnce {
		t.Errorf("%d of %d ran, up to %d at once, error %v", ran.Load(), functions, most.Load(), err)
	}
}

// After an error nothing more is begun, whoever hands it over does not hang,
// and the error is the first one.
func TestLimitedStopsAtTheFirstError(t *testing.T) {
	first := errors.New("first")
	for _, atOnce := range []int{1, 3} {
		var after atomic.Int32
		work := newLimited(t.Context(), atOnce)
		for range atOnce { // all of which are at work
			work.do(func(ctx context.Context) error { return first })
		}
		<-work.ctx.Done()
		for range 100 {
			work.do(func(context.Context) error { after.Add(1); return errors.New("later") })
		}
		if err := work.wait(); !errors.Is(err, first) || after.Load() > 0 {
			t.Errorf("%d at once: %d ran after the error, and wait answers %v", atOnce, after.Load(), err)
		}
	}
}

func TestLimitedEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	work := newLimited(ctx, 1)
	work.do(func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil })
	for range 10 {
		work.do(func(context.Context) error { t.Error("it ran all the same"); return nil })
	}
	if err := work.wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("wait answers %v", err)
	}
}
