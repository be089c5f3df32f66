package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// DefaultLeaseDuration is how long an operation that does not renew its mark in the
// revision counts as in progress.
const DefaultLeaseDuration = 15 * time.Second

// newLock is the lock of a call on a release. It holds nothing before a revision is
// recorded with its mark.
func (e *Engine) newLock(ctx context.Context, k Key) *lock.Lock {
	return lock.New(ctx, lock.Options{Holder: e.opts.FieldManager, Duration: e.opts.LeaseDuration, Older: e.olderEngine(k)})
}

// turns waits for the turns of one call on a release. It is not safe for concurrent
// use.
type turns struct {
	e    *Engine
	key  Key
	lock *lock.Lock
	opts ApplyOptions // LockTimeout is what is left of it
	// seen is for calls that do not wait; see lock.Waiter. Nil: they do.
	seen *lock.Observed
}

// await waits until no other operation works on the newest revision, as it was read.
// waited reports that there was one: then plans from before are out of date.
func (t *turns) await(ctx context.Context, h *history) (waited bool, err error) {
	last := h.last
	switch {
	case h.changedAsRead():
		return true, nil
	case last == nil || !last.Status.Unfinished():
		return false, nil
	case last.Mark == nil:
		return t.awaitOlder(ctx)
	case last.Mark.Holder == "", t.lock.Holds(*last.Mark):
		return false, nil
	}
	return true, t.awaitClaim(ctx, last.Claim())
}

// awaitClaim waits until the holder of a claim is at its end, and takes over from one
// that is dead, or that may be superseded.
func (t *turns) awaitClaim(ctx context.Context, c storage.Claim) error {
	found, err := t.wait(ctx, lock.Found{Mark: c.Mark, Version: c.Version()}, func(ctx context.Context) (lock.Found, error) {
		now, err := t.e.store.Claim(ctx, c.Namespace, c.Name, c.Revision)
		if errors.Is(err, storage.ErrNotFound) {
			return lock.Found{}, nil
		}
		c = now
		return lock.Found{Mark: c.Mark, Version: c.Version()}, err
	})
	if err != nil || found.Holder == "" {
		return err
	}
	before := time.Now()
	held, err := t.e.store.TakeOver(ctx, c, *t.lock.Mark())
	switch {
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrNotFound):
		return nil // another process was faster, or the holder is alive after all
	case err != nil:
		return err
	case c.Reserved:
		return held.Release(ctx)
	}
	t.lock.Hold(held, before)
	return nil
}

// wait waits for a holder, for as long as is left for this call.
func (t *turns) wait(ctx context.Context, found lock.Found, look func(context.Context) (lock.Found, error)) (lock.Found, error) {
	began := time.Now()
	found, err := lock.Waiter{
		Duration: t.e.opts.LeaseDuration, Timeout: t.opts.LockTimeout, Supersede: t.opts.Supersede, Seen: t.seen,
		OnWaited: func(holder string) { t.e.events.emit(LockWaited{about(t.key), holder}) },
	}.Wait(ctx, found, look)
	if t.opts.LockTimeout > 0 {
		t.opts.LockTimeout = max(t.opts.LockTimeout-time.Since(began), 1)
	}
	var held *lock.HeldError
	switch {
	case err == nil, errors.As(err, &held):
	case ctx.Err() != nil:
		return found, err
	default:
		return found, fmt.Errorf("wait for another operation: %w", err)
	}
	if held != nil {
		err = &Error{
			Op: "lock", Key: t.key, Hint: "wait for it, set ApplyOptions.LockTimeout to wait here, or ApplyOptions.Supersede to replace an operation that only waits for readiness",
			Err: fmt.Errorf("%w: %w", ErrBusy, held),
		}
	}
	return found, err
}

// tidyReserved frees the numbers of revisions that operations had reserved whose process
// has died. Nothing depends on its success.
func (e *Engine) tidyReserved(ctx context.Context, h *history) {
	for _, c := range h.inventory.Reserved {
		if lock.Expired(c.Mark) {
			_ = e.store.Unreserve(ctx, c)
		}
	}
}

// lostError is returned by a call whose lock was lost.
func lostError(k Key) error {
	return &Error{
		Op: "deploy", Key: k, Err: fmt.Errorf("%w: %w", ErrSuperseded, lock.ErrLost),
		Hint: "the other operation decides what becomes of the release; see History",
	}
}
