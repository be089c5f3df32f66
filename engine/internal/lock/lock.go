// Package lock marks the revision that a process works on, for as long as it does.
//
// The mark is in the revision itself, and is renewed every third of its duration.
// A process that finds one which was not renewed for its duration takes it over.
// Only the local clock counts: a holder is treated as dead once no change of its
// mark was seen for that long. A holder that only waits can say so in its mark, and
// be superseded.
package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// ErrLost is the cause with which a lock's context ends when the revision is
// another holder's, or was deleted.
var ErrLost = errors.New("another operation has taken over the release")

// Lock is a mark that this process may have written. All methods may be called on
// nil, which stands for a release that is not locked.
type Lock struct {
	id       string
	duration time.Duration
	older    func(context.Context) bool

	ctx    context.Context // ends with ErrLost
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	held    *storage.Held // nil: nothing is marked yet
	renewed time.Time     // by the local clock, before the request was sent
	waiting bool
	marked  bool // the mark may say that its holder only waits

	renewing  sync.WaitGroup
	releasing sync.Once
}

// Options say who holds a lock, and how. Holder and Duration are required.
type Options struct {
	// Holder is the beginning of the holder's identity, which is made unique.
	Holder string
	// Duration is how long a mark that is not renewed counts. It is written in
	// whole seconds.
	Duration time.Duration
	// Older reports whether an engine that does not know marks works on the
	// release. It is asked with each renewal. Nil: there is none.
	Older func(context.Context) bool
}

// New returns a lock that holds nothing yet. Its context ends with ctx.
func New(ctx context.Context, o Options) *Lock {
	l := &Lock{id: o.Holder + "-" + rand.Text()[:10], duration: o.Duration, older: o.Older}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// Mark is what a record that is written now says of its holder; nil for a lock that
// is nil.
func (l *Lock) Mark() *storage.Mark {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.mark(time.Now())
	return &m
}

func (l *Lock) mark(now time.Time) storage.Mark {
	return storage.Mark{Holder: l.id, Duration: max(time.Second, l.duration), Renewed: now, Waiting: l.waiting}
}

// Holds reports whether a mark is this lock's.
func (l *Lock) Holds(m storage.Mark) bool { return l != nil && m.Holder == l.id }

// Hold renews the mark in a record that was written since before, until the lock is
// released or lost, or its context ends. A record that was held before is no longer
// renewed.
func (l *Lock) Hold(held *storage.Held, before time.Time) {
	if l == nil || held == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.held == nil
	l.held, l.renewed = held, before
	if first {
		l.renewing.Go(l.keep)
	}
}

// Held is the record that is marked; nil: none is yet.
func (l *Lock) Held() *storage.Held {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Context returns a context that ends when the lock is lost or released, or
// with the context that the lock was made with. It returns ctx if l is nil.
func (l *Lock) Context(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return l.ctx
}

// keep renews the mark until the lock's context ends.
func (l *Lock) keep() {
	tick := time.NewTicker(l.duration / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return
		}
		if err := l.renew(l.ctx, l.duration/3); err != nil {
			l.cancel(err)
			return
		}
	}
}

// renew writes the time into the mark. It returns ErrLost if the record is another
// holder's or gone, and nil if the API server does not say so: as long as it is
// neither, no one else works on the release, even if the mark has expired.
func (l *Lock) renew(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		return nil
	}
	if l.older != nil && l.older(ctx) {
		return ErrLost
	}
	now := time.Now()
	l.marked = l.marked || l.waiting
	switch err := l.held.Renew(ctx, l.mark(now)); {
	case errors.Is(err, storage.ErrChanged):
		return ErrLost
	case err == nil:
		l.renewed, l.marked = now, l.waiting
	}
	return nil
}

// overdue reports whether the last renewal should have followed by now.
func (l *Lock) overdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held != nil && time.Since(l.renewed) > 2*l.duration/3
}

// supersedable reports whether the mark may still say that its holder only waits,
// although it no longer does: it may have been superseded unseen.
func (l *Lock) supersedable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marked && !l.waiting
}

// checks is how often Check asks. An API server that does not respond to these
// will not respond to what the lock is for either.
const checks = 5

// Check returns nil if the lock is still held, ErrLost if it was lost, and
// else the cause of the end of ctx or of the lock's context. It asks the API
// server if the last renewal is overdue, because the process may have been
// stopped meanwhile or the API server did not respond; and once after a wait that
// could be superseded.
func (l *Lock) Check(ctx context.Context) error {
	if l == nil {
		return nil
	}
	for try := 0; try < checks && (l.overdue() || l.supersedable()) && l.ctx.Err() == nil && ctx.Err() == nil; try++ {
		if err := l.renew(ctx, max(l.duration, 5*time.Second)); err != nil {
			l.cancel(err)
		}
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return context.Cause(ctx)
}

// Waiting sets whether this process only waits and may be superseded. The next
// renewal writes it.
func (l *Lock) Waiting(waiting bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = waiting
}

// Lose ends the lock's context: the record was found to be another holder's.
func (l *Lock) Lose() {
	if l != nil {
		l.cancel(ErrLost)
	}
}

// Lost reports whether the lock was held and then lost to another holder.
func (l *Lock) Lost() bool {
	return l != nil && errors.Is(context.Cause(l.ctx), ErrLost)
}

// releaseTimeout bounds taking the mark away.
const releaseTimeout = 15 * time.Second

// Release stops renewing, and takes the mark away if it is still held and the
// record has no outcome. Further calls do nothing. A mark that cannot be taken away
// expires.
func (l *Lock) Release() {
	if l != nil {
		l.releasing.Do(l.release)
	}
}

func (l *Lock) release() {
	lost := l.Lost()
	l.cancel(nil)
	l.renewing.Wait()
	if lost || l.held == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), releaseTimeout)
	defer cancel()
	_ = l.held.Release(ctx) // or it expires
}
