package engine

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// reserve takes the name of the next revision, for an operation that records none.
// It fails with errRaced if another operation has recorded that revision; whether the
// newest one has changed since it was read is for the caller to see. Where nothing may be
// created, as in a namespace that is being deleted, the operation goes on with a warning.
func (e *Engine) reserve(ctx context.Context, k Key, h *history, l *lock.Lock) error {
	before := time.Now()
	held, err := e.store.Reserve(ctx, h.last, h.nextRevision(), *l.Mark())
	switch {
	case errors.Is(err, storage.ErrRevisionExists):
		return errRaced
	case apierrors.IsForbidden(err):
		e.events.emit(Warning{about(k), "cannot reserve the next revision (forbidden): concurrent operations are not blocked: " + err.Error()})
		return nil
	case err == nil:
		l.Hold(held, before)
	}
	return err
}

// reserveUnchanged is reserve for an operation that does not begin by writing the newest
// revision: it fails with errRaced if that has changed since it was read.
func (e *Engine) reserveUnchanged(ctx context.Context, k Key, h *history, l *lock.Lock) error {
	if err := e.reserve(ctx, k, h, l); err != nil {
		return err
	}
	now, err := e.store.Claim(ctx, k.Namespace, k.Name, h.last.Revision)
	if err == nil && now.Version() == h.last.Claim().Version() {
		return nil
	}
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		err = errRaced
	}
	return errors.Join(err, releaseHeld(ctx, l))
}

// releaseHeld takes away what a lock has marked: who has changed the revision may wait
// for this call, which is about to wait for them.
func releaseHeld(ctx context.Context, l *lock.Lock) error {
	if held := l.Held(); held != nil {
		return held.Release(ctx)
	}
	return nil
}
