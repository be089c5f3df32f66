// Package lock holds a Lease of the API server for as long as one process
// works on a release.
//
// The Lease exists only while it is held, and is renewed every third of its
// duration. A process that finds one which was not renewed for its duration
// takes it over. Only the local clock counts: a holder is treated as dead once
// no change of its Lease was seen for that long. A holder that only waits can
// mark the Lease so, and be superseded.
package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Leases are those of one namespace, as client-go has them.
type Leases interface {
	Create(context.Context, *coordinationv1.Lease, metav1.CreateOptions) (*coordinationv1.Lease, error)
	Update(context.Context, *coordinationv1.Lease, metav1.UpdateOptions) (*coordinationv1.Lease, error)
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*coordinationv1.Lease, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// Options say which Lease to take, and how. Leases, Namespace, Release, Holder
// and Duration are required.
type Options struct {
	Leases    Leases // of Namespace
	Namespace string
	Release   string
	// Holder is the beginning of the holder's identity, which is made unique.
	Holder string
	// Duration is how long a Lease that is not renewed counts as held. It is
	// written in whole seconds.
	Duration time.Duration
	// Timeout is how long to wait for another holder. 0: only until that one
	// was seen to renew its Lease, which takes at most the Lease's duration.
	Timeout time.Duration
	// Seen makes Acquire return at once with a *HeldError if another holder has the
	// Lease, and remembers what was seen of it for the next try. Nil: Acquire
	// waits.
	Seen *Observed
	// Supersede takes the Lease from a holder that has marked it as waiting.
	Supersede bool
	// OnWaited is called once, if another holder is waited for. Nil: nothing is
	// called.
	OnWaited func(holder string)
}

// Lock is a Lease that this process holds. All methods may be called on nil,
// which stands for a release that is not locked.
type Lock struct {
	leases   Leases
	id       string
	duration time.Duration
	waited   bool

	ctx    context.Context // ends with ErrLost
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when renewing has stopped

	mu      sync.Mutex
	lease   *coordinationv1.Lease
	renewed time.Time // by the local clock, before the request was sent
	waiting bool
	marked  bool // the Lease may say that its holder only waits

	releasing sync.Once
}

// Name returns the name of a release's Lease.
func Name(release string) string { return storage.LeaseName(release) }

// Waited reports whether another process held the Lease when this one asked
// for it, or had held it before: it may have changed the release since.
func (l *Lock) Waited() bool { return l != nil && l.waited }

// Context returns a context that ends when the lock is lost or released, or
// with the context that the lock was acquired with. It returns ctx if l is nil.
func (l *Lock) Context(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return l.ctx
}

// keep renews the Lease until the lock's context ends.
func (l *Lock) keep() {
	defer close(l.done)
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

// renew writes the time into the Lease. It returns ErrLost if the Lease is
// another holder's or gone, and nil if the API server does not say so: as long
// as the Lease is neither, no one else works on the release, even if it has
// expired.
func (l *Lock) renew(ctx context.Context, limit time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now := time.Now()
	next := l.lease.DeepCopy()
	micro := metav1.NewMicroTime(now)
	next.Spec.RenewTime = &micro
	delete(next.Annotations, annotationWaiting)
	if l.marked = l.marked || l.waiting; l.waiting {
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, annotationWaiting, "true")
	}
	got, err := l.leases.Update(ctx, next, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		// It may have been written by a request whose response was lost.
		if got, err = l.leases.Get(ctx, next.Name, metav1.GetOptions{}); err == nil && holderOf(got) != l.id {
			return ErrLost
		}
	}
	if apierrors.IsNotFound(err) {
		return ErrLost
	}
	if err == nil {
		l.lease, l.renewed, l.marked = got, now, l.waiting
	}
	return nil
}

// overdue reports whether the last renewal should have followed by now.
func (l *Lock) overdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) > 2*l.duration/3
}

// supersedable reports whether the Lease may still say that its holder only
// waits, although it no longer does: it may have been superseded unseen.
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

// Lost reports whether the lock was held and then lost to another holder.
func (l *Lock) Lost() bool {
	return l != nil && errors.Is(context.Cause(l.ctx), ErrLost)
}

// Release stops renewing and deletes the Lease, if it is still held. Further
// calls do nothing. A Lease that cannot be deleted expires.
func (l *Lock) Release() {
	if l != nil {
		l.releasing.Do(l.release)
	}
}

// releaseTimeout bounds deleting the Lease.
const releaseTimeout = 15 * time.Second

func (l *Lock) release() {
	lost := l.Lost()
	l.cancel(nil)
	<-l.done
	if lost {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), releaseTimeout)
	defer cancel()
	lease := l.lease
	for range 3 {
		err := deleteSeen(ctx, l.leases, lease)
		if !apierrors.IsConflict(err) {
			return
		}
		// A renewal whose response was not waited for may have changed it.
		if lease, err = l.leases.Get(ctx, lease.Name, metav1.GetOptions{}); err != nil || holderOf(lease) != l.id {
			return
		}
	}
}

// deleteSeen deletes the Lease that was read, and no other of its name.
func deleteSeen(ctx context.Context, leases Leases, l *coordinationv1.Lease) error {
	return leases.Delete(ctx, l.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &l.UID, ResourceVersion: &l.ResourceVersion}})
}

// Sweep deletes the Lease of a release if its holder died after its work was
// done. Nothing depends on its success, so that it returns no error.
func Sweep(ctx context.Context, leases Leases, release string) {
	l, err := leases.Get(ctx, Name(release), metav1.GetOptions{})
	if err != nil || l.Spec.RenewTime == nil {
		return
	}
	if time.Since(l.Spec.RenewTime.Time) > validity(l) {
		_ = deleteSeen(ctx, leases, l)
	}
}

// newLock is a lock that is not yet taken.
func newLock(o Options) *Lock {
	return &Lock{leases: o.Leases, id: o.Holder + "-" + rand.Text()[:10], duration: o.Duration, done: make(chan struct{})}
}
