package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// leases are those of one namespace.
type leases interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*coordinationv1.Lease, error)
}

// DefaultLeaseDuration is how long an operation that does not renew its mark in the
// revision counts as in progress.
const DefaultLeaseDuration = 15 * time.Second

// newLock is the lock of a call on a release. It holds nothing before a revision is
// recorded with its mark.
func (e *Engine) newLock(ctx context.Context, k Key) *lock.Lock {
	return lock.New(ctx, lock.Options{Holder: e.opts.FieldManager, Duration: e.opts.LeaseDuration, Older: e.olderEngine(k)})
}

// turn waits until no other operation works on the newest revision, as it was read.
// waited reports that there was one: then plans from before are out of date. seen
// is for calls that do not wait; see lock.Waiter.
func (e *Engine) turn(ctx context.Context, k Key, h *history, opts ApplyOptions, l *lock.Lock, seen *lock.Observed) (waited bool, err error) {
	last := h.last
	switch {
	case h.changedAsRead():
		return true, nil
	case last == nil || !last.Status.Unfinished():
		return false, nil
	case last.Mark == nil:
		return e.turnOfOlder(ctx, k, opts, seen)
	case last.Mark.Holder == "", l.Holds(*last.Mark):
		return false, nil
	}
	return true, e.turnAt(ctx, k, last.Claim(), opts, l, seen)
}

// turnAt waits until the holder of a claim is at its end, and takes over from one
// that is dead, or that may be superseded.
func (e *Engine) turnAt(ctx context.Context, k Key, c storage.Claim, opts ApplyOptions, l *lock.Lock, seen *lock.Observed) error {
	found, err := e.waiter(k, opts, seen).Wait(ctx, lock.Found{Mark: c.Mark, Version: c.Version()}, func(ctx context.Context) (lock.Found, error) {
		now, err := e.store.Claim(ctx, c.Namespace, c.Name, c.Revision)
		if errors.Is(err, storage.ErrNotFound) {
			return lock.Found{}, nil
		}
		c = now
		return lock.Found{Mark: c.Mark, Version: c.Version()}, err
	})
	if err != nil {
		return waitError(ctx, k, err)
	}
	if found.Holder == "" {
		return nil
	}
	before := time.Now()
	held, err := e.store.TakeOver(ctx, c, *l.Mark())
	switch {
	case errors.Is(err, storage.ErrChanged), errors.Is(err, storage.ErrNotFound):
		return nil // another process was faster, or the holder is alive after all
	case err != nil:
		return err
	case c.Reserved:
		return held.Release(ctx)
	}
	l.Hold(held, before)
	return nil
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

func (e *Engine) waiter(k Key, opts ApplyOptions, seen *lock.Observed) lock.Waiter {
	return lock.Waiter{
		Duration: e.opts.LeaseDuration, Timeout: opts.LockTimeout, Supersede: opts.Supersede, Seen: seen,
		OnWaited: func(holder string) { e.events.emit(LockWaited{about(k), holder}) },
	}
}

// waitError is why a call could not wait for its turn.
func waitError(ctx context.Context, k Key, err error) error {
	var held *lock.HeldError
	switch {
	case errors.As(err, &held):
		return &Error{
			Op: "lock", Key: k, Hint: "wait for it, set ApplyOptions.LockTimeout to wait here, or ApplyOptions.Supersede to replace an operation that only waits for readiness",
			Err: fmt.Errorf("%w: %w", ErrBusy, held),
		}
	case ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("wait for another operation: %w", err)
}

// Engines of earlier versions hold a Lease instead of marking their revision.

// turnOfOlder waits for an operation of such an engine, which an unfinished revision
// without a mark may be of.
func (e *Engine) turnOfOlder(ctx context.Context, k Key, opts ApplyOptions, seen *lock.Observed) (waited bool, err error) {
	if e.leases == nil {
		return false, nil
	}
	found, err := e.olderMark(ctx, k)
	if err != nil || found.Holder == "" {
		return false, err
	}
	first := found.Version
	found, err = e.waiter(k, opts, seen).Wait(ctx, found, func(ctx context.Context) (lock.Found, error) { return e.olderMark(ctx, k) })
	if err != nil {
		return false, waitError(ctx, k, err)
	}
	return found.Version != first, nil
}

// olderMark is what the Lease of a release says. Without permission to read it,
// nobody holds it.
func (e *Engine) olderMark(ctx context.Context, k Key) (lock.Found, error) {
	l, err := e.leases(k).Get(ctx, storage.LeaseName(k.Name), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return lock.Found{}, nil
	}
	if err != nil {
		return lock.Found{}, fmt.Errorf("read the Lease of an engine of an earlier version: %w", err)
	}
	return lock.Found{Mark: markOfLease(l), Version: l.ResourceVersion}, nil
}

func markOfLease(l *coordinationv1.Lease) storage.Mark {
	var m storage.Mark
	if s := l.Spec; s.HolderIdentity != nil {
		m.Holder = *s.HolderIdentity
	}
	if s := l.Spec.LeaseDurationSeconds; s != nil {
		m.Duration = time.Duration(*s) * time.Second
	}
	if t := l.Spec.RenewTime; t != nil {
		m.Renewed = t.Time
	}
	m.Waiting = l.Annotations["fairlead.dev/waiting"] != ""
	return m
}

// olderEngine reports whether such an engine has begun to work on a release, or goes
// on with it, since it was asked first. Nil: there can be none.
func (e *Engine) olderEngine(k Key) func(context.Context) bool {
	if e.leases == nil {
		return nil
	}
	asked, version := false, ""
	return func(ctx context.Context) bool {
		found, err := e.olderMark(ctx, k)
		if err != nil {
			return false
		}
		began := asked && found.Holder != "" && found.Version != version
		asked, version = true, found.Version
		return began
	}
}

// lostError is returned by a call whose lock was lost.
func lostError(k Key) error {
	return &Error{
		Op: "deploy", Key: k, Err: fmt.Errorf("%w: %w", ErrSuperseded, lock.ErrLost),
		Hint: "the other operation decides what becomes of the release; see History",
	}
}
