package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/fairlead-dev/fairlead/internal/resend"
)

// DefaultLeaseDuration is how long a deployer that says nothing counts as
// alive.
const DefaultLeaseDuration = 15 * time.Second

// leaseName names the Lease of a release, in the release's namespace.
func leaseName(release string) string { return "fairlead-" + release }

// annotationWaiting on a Lease says that its holder has written everything
// and only waits for readiness.
const annotationWaiting = "fairlead.dev/waiting"

// lock is a Lease that this process holds: it alone works on the release. The
// Lease is there as long as somebody works, and is renewed all the time;
// whoever finds one that is not renewed for its duration takes it over.
type lock struct {
	leases   coordination.LeaseInterface
	id       string
	duration time.Duration
	waited   bool // somebody else held it when it was asked for

	ctx    context.Context // ends with errLockLost
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when renewing has stopped

	mu      sync.Mutex
	lease   *coordinationv1.Lease
	renewed time.Time // by the local clock, before the request was sent
	waiting bool

	releasing sync.Once
}

var errLockLost = errors.New("another deployer has taken the release over")

// acquire takes the release's lock. Without rights on Leases it answers nil:
// the work goes on, with a warning.
func (e *Engine) acquire(ctx context.Context, k Key, opts ApplyOptions) (*lock, error) {
	duration := e.opts.LeaseDuration
	l := &lock{
		leases: e.c.typed.CoordinationV1().Leases(k.Namespace),
		id:     e.opts.FieldManager + "-" + rand.Text()[:10], duration: duration,
		done: make(chan struct{}),
	}
	var seen observed
	begun, pause, told := time.Now(), 50*time.Millisecond, false
	for {
		err := l.try(ctx, k, &seen, opts.Supersede)
		switch {
		case err == nil:
			l.ctx, l.cancel = context.WithCancelCause(ctx)
			go l.keep()
			return l, nil
		case apierrors.IsForbidden(err):
			e.events.emit(Warning{about(k), "nothing keeps other deployers off this release meanwhile: " + err.Error()})
			return nil, nil
		case !errors.Is(err, errHeld):
			return nil, fmt.Errorf("lock the release: %w", err)
		}
		l.waited = true
		if !told && seen.holder != "" {
			told = true
			e.events.emit(LockWaited{about(k), seen.holder})
		}
		waited := time.Since(begun)
		if opts.LockTimeout > 0 && waited >= opts.LockTimeout || opts.LockTimeout <= 0 && seen.alive {
			return nil, &Error{
				Op: "lock", Key: k, Hint: "wait for it, set ApplyOptions.LockTimeout to wait here, or ApplyOptions.Supersede to replace one that only waits",
				Err: fmt.Errorf("%w: %s is at work on it, and was heard of %s ago", ErrBusy, seen.holder, time.Since(seen.heard).Round(time.Second)),
			}
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, max(time.Second, duration/10), duration/3)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// observed is what was seen of a Lease of somebody else. Only the local clock
// counts: that of the holder may be wrong.
type observed struct {
	holder  string
	version string
	heard   time.Time // when it was last seen to change
	alive   bool      // the same holder was seen to renew it
}

func (o *observed) see(l *coordinationv1.Lease) {
	holder := deref(l.Spec.HolderIdentity)
	if o.version == l.ResourceVersion {
		return
	}
	o.alive = o.version != "" && o.holder == holder
	o.holder, o.version, o.heard = holder, l.ResourceVersion, time.Now()
}

var errHeld = errors.New("the lease is held")

// skew is by how much the holder's clock may be wrong before it matters: a
// Lease that has run out by more than that needs no watching. Even then only
// one of two deployers could record the next revision.
const skew = 2 * time.Minute

// try takes the Lease if it is free, ours, or its holder is gone.
func (l *lock) try(ctx context.Context, k Key, seen *observed, supersede bool) error {
	now := time.Now()
	fresh := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: leaseName(k.Name), Namespace: k.Namespace,
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "fairlead"},
			Annotations: map[string]string{annotationName: k.Name},
		},
		Spec: l.spec(now, 0),
	}
	sent, again := resend.Count(ctx)
	got, err := l.leases.Create(sent, fresh, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		l.lease, l.renewed = got, now
		return err
	}
	have, err := l.leases.Get(ctx, fresh.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errHeld // it has just been released: try again
	}
	if err != nil {
		return err
	}
	if again.Load() > 0 && deref(have.Spec.HolderIdentity) == l.id {
		l.lease, l.renewed = have, now
		return nil
	}
	seen.see(have)
	validity := time.Duration(deref(have.Spec.LeaseDurationSeconds)) * time.Second
	free := seen.holder == "" || time.Since(seen.heard) > max(validity, time.Second) ||
		have.Spec.RenewTime != nil && now.Sub(have.Spec.RenewTime.Time) > validity+skew ||
		supersede && have.Annotations[annotationWaiting] != ""
	if !free {
		return errHeld
	}
	have.Spec = l.spec(now, deref(have.Spec.LeaseTransitions)+1)
	delete(have.Annotations, annotationWaiting)
	got, err = l.leases.Update(ctx, have, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errHeld // somebody else was faster, or it lives after all
	}
	if err == nil {
		l.lease, l.renewed, l.waited = got, now, true
	}
	return err
}

func (l *lock) spec(now time.Time, transitions int32) coordinationv1.LeaseSpec {
	seconds := int32(max(1, l.duration/time.Second))
	micro := metav1.NewMicroTime(now)
	return coordinationv1.LeaseSpec{
		HolderIdentity: &l.id, LeaseDurationSeconds: &seconds, AcquireTime: &micro, RenewTime: &micro, LeaseTransitions: &transitions,
	}
}

// keep renews the Lease until the lock's context ends.
func (l *lock) keep() {
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

// renew says that the holder lives, if it can. Its error is errLockLost: the
// Lease is somebody else's, or gone. As long as it is neither, nobody else
// works on the release, even if it has run out.
func (l *lock) renew(ctx context.Context, limit time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now := time.Now()
	next := l.lease.DeepCopy()
	micro := metav1.NewMicroTime(now)
	next.Spec.RenewTime = &micro
	delete(next.Annotations, annotationWaiting)
	if l.waiting {
		next.Annotations[annotationWaiting] = "true"
	}
	got, err := l.leases.Update(ctx, next, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		// It may have been written by a request whose answer was lost.
		if got, err = l.leases.Get(ctx, next.Name, metav1.GetOptions{}); err == nil && deref(got.Spec.HolderIdentity) != l.id {
			return errLockLost
		}
	}
	if apierrors.IsNotFound(err) {
		return errLockLost
	}
	if err == nil {
		l.lease, l.renewed = got, now
	}
	return nil
}

// overdue says whether the last renewal should have followed by now.
func (l *lock) overdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) > 2*l.duration/3
}

// checks is how often check asks. An API server that does not answer these
// will not answer what the lock is for either.
const checks = 5

// check says whether the lock is still held. If the last renewal is overdue it
// asks: the process may have been stopped meanwhile, or the API server not
// answered.
func (l *lock) check(ctx context.Context) error {
	if l == nil {
		return nil
	}
	for try := 0; try < checks && l.overdue() && l.ctx.Err() == nil && ctx.Err() == nil; try++ {
		if err := l.renew(ctx, max(l.duration, 5*time.Second)); err != nil {
			l.cancel(err)
		}
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return context.Cause(ctx)
}

// onlyWaits says whether all is written; the next renewal tells the others.
func (l *lock) onlyWaits(waiting bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = waiting
}

// lost says whether the lock was held and is no more.
func (l *lock) lost() bool {
	return l != nil && errors.Is(context.Cause(l.ctx), errLockLost)
}

// release stops renewing and deletes the Lease, if it is still ours. To call it
// again does nothing.
func (l *lock) release() {
	if l != nil {
		l.releasing.Do(l.giveBack)
	}
}

func (l *lock) giveBack() {
	lost := l.lost()
	l.cancel(nil)
	<-l.done
	if lost {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), recordingTime)
	defer cancel()
	lease := l.lease
	for range 3 {
		err := deleteLease(ctx, l.leases, lease)
		if !apierrors.IsConflict(err) {
			return // what cannot be deleted runs out by itself
		}
		// A renewal whose answer was not waited for may have changed it.
		if lease, err = l.leases.Get(ctx, lease.Name, metav1.GetOptions{}); err != nil || deref(lease.Spec.HolderIdentity) != l.id {
			return
		}
	}
}

// deleteLease deletes the Lease that was seen, and no other of its name.
func deleteLease(ctx context.Context, leases coordination.LeaseInterface, l *coordinationv1.Lease) error {
	return leases.Delete(ctx, l.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &l.UID, ResourceVersion: &l.ResourceVersion}})
}

// sweepLease deletes a Lease whose holder died after its work was done. Nobody
// waits for it, so that nothing depends on its success.
func (e *Engine) sweepLease(ctx context.Context, k Key) {
	leases := e.c.typed.CoordinationV1().Leases(k.Namespace)
	l, err := leases.Get(ctx, leaseName(k.Name), metav1.GetOptions{})
	if err != nil || l.Spec.RenewTime == nil {
		return
	}
	validity := time.Duration(deref(l.Spec.LeaseDurationSeconds)) * time.Second
	if time.Since(l.Spec.RenewTime.Time) > validity {
		_ = deleteLease(ctx, leases, l)
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// lostError is what a call ends with whose lock was lost.
func lostError(k Key) error {
	return &Error{
		Op: "deploy", Key: k, Err: fmt.Errorf("%w: %w", ErrSuperseded, errLockLost),
		Hint: "the other one decides what becomes of the release; look at History",
	}
}
