package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestGroup(t *testing.T) {
	const functions, atOnce = 500, 4
	var running, most, ran atomic.Int32
	group := New(t.Context(), atOnce)
	for range functions {
		group.Do(func(context.Context) error {
			now := running.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			ran.Add(1)
			running.Add(-1)
			return nil
		})
	}
	if err := group.Wait(); err != nil || ran.Load() != functions || most.Load() > atOnce {
		t.Errorf("%d of %d ran, up to %d at once, error %v", ran.Load(), functions, most.Load(), err)
	}
}

// After an error no function begins, Do does not block, and Wait returns that
// error.
func TestGroupStopsAtTheFirstError(t *testing.T) {
	first := errors.New("first")
	for _, atOnce := range []int{1, 3} {
		var after atomic.Int32
		group := New(t.Context(), atOnce)
		for range atOnce { // all of which are running
			group.Do(func(ctx context.Context) error { return first })
		}
		<-group.ctx.Done()
		for range 100 {
			group.Do(func(context.Context) error { after.Add(1); return errors.New("later") })
		}
		if err := group.Wait(); !errors.Is(err, first) || after.Load() > 0 {
			t.Errorf("%d at once: %d ran after the error, and Wait returns %v", atOnce, after.Load(), err)
		}
	}
}

func TestGroupEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	group := New(ctx, 1)
	group.Do(func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil })
	for range 10 {
		group.Do(func(context.Context) error { t.Error("it ran all the same"); return nil })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait returns %v", err)
	}
}
