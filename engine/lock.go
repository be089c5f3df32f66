package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
)

// DefaultLeaseDuration is how long an operation that does not renew its Lease
// counts as in progress.
const DefaultLeaseDuration = 15 * time.Second

// acquire takes the release's lock. It returns nil without permission on
// Leases: the operation goes on, with a warning.
func (e *Engine) acquire(ctx context.Context, k Key, opts ApplyOptions) (*lock.Lock, error) {
	return e.acquireSeen(ctx, k, opts, nil)
}

// acquireSeen is acquire that does not wait, and remembers in seen what it has seen
// of another holder. Nil: it waits.
func (e *Engine) acquireSeen(ctx context.Context, k Key, opts ApplyOptions, seen *lock.Observed) (*lock.Lock, error) {
	l, err := lock.Acquire(ctx, lock.Options{
		Leases: e.leases(k), Namespace: e.opts.Storage.namespaceOf(k), Release: k.Name,
		Holder: e.opts.FieldManager, Duration: e.opts.LeaseDuration,
		Timeout: opts.LockTimeout, Supersede: opts.Supersede, Seen: seen,
		OnWaited: func(holder string) { e.events.emit(LockWaited{about(k), holder}) },
	})
	var held *lock.HeldError
	switch {
	case err == nil:
		return l, nil
	case apierrors.IsForbidden(err):
		e.events.emit(Warning{about(k), "cannot take the lock (forbidden): concurrent deploys are not blocked: " + err.Error()})
		return nil, nil
	case errors.As(err, &held):
		return nil, &Error{
			Op: "lock", Key: k, Hint: "wait for it, set ApplyOptions.LockTimeout to wait here, or ApplyOptions.Supersede to replace an operation that only waits for readiness",
			Err: fmt.Errorf("%w: %w", ErrBusy, held),
		}
	case ctx.Err() != nil:
		return nil, err
	}
	return nil, fmt.Errorf("lock the release: %w", err)
}

// lostError is returned by a call whose lock was lost.
func lostError(k Key) error {
	return &Error{
		Op: "deploy", Key: k, Err: fmt.Errorf("%w: %w", ErrSuperseded, lock.ErrLost),
		Hint: "the other operation decides what becomes of the release; see History",
	}
}
