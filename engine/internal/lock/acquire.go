package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/resend"
)

// annotationWaiting on a Lease is set while its holder has written everything
// and only waits.
const annotationWaiting = "fairlead.dev/waiting"

// annotationRelease on a Lease is the name of its release, as on the objects of
// a Helm release.
const annotationRelease = "meta.helm.sh/release-name"

// ErrLost is the cause with which a lock's context ends when the Lease is
// another holder's, or was deleted.
var ErrLost = errors.New("another operation has taken over the release's lock")

// Longest is the longest duration of a Lease that counts: one that was written
// with more is held no longer, since a client that may write Leases could otherwise
// block a release for ever without doing anything.
const Longest = 2 * time.Minute

// HeldError is returned by Acquire if another holder does not release the
// Lease in time.
type HeldError struct {
	Holder   string    // as the Lease has it, cleaned and shortened
	LastSeen time.Time // when the Lease was last seen to change
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s holds the lock, and renewed it %s ago", e.Holder, time.Since(e.LastSeen).Round(time.Second))
}

// errHeld: the Lease is not free, as far as is known now.
var errHeld = errors.New("the lease is held")

// Acquire takes the Lease, and renews it until the lock is released or lost,
// or ctx ends. It returns a *HeldError if another holder keeps it, the cause of
// ctx's end, or the API server's error, for which apierrors.IsForbidden holds
// if these credentials may not write Leases.
func Acquire(ctx context.Context, o Options) (*Lock, error) {
	l := newLock(o)
	seen := o.Seen
	if seen == nil {
		seen = &Observed{}
	}
	begun, pause, reported := time.Now(), 50*time.Millisecond, false
	for {
		err := l.try(ctx, o, seen)
		if err == nil {
			l.ctx, l.cancel = context.WithCancelCause(ctx)
			go l.keep()
			return l, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		l.waited = true
		if !reported && seen.holder != "" {
			reported = true
			if o.OnWaited != nil {
				o.OnWaited(shown(seen.holder))
			}
		}
		if o.Seen != nil || o.Timeout > 0 && time.Since(begun) >= o.Timeout || o.Timeout <= 0 && seen.alive {
			return nil, &HeldError{Holder: shown(seen.holder), LastSeen: seen.at}
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, max(time.Second, l.duration/10), l.duration/3)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Observed is what was seen of another holder's Lease. Only the local clock
// counts: that of the holder may be wrong. The zero value has seen nothing; it is
// not safe for concurrent use.
type Observed struct {
	holder  string
	version string
	at      time.Time // when it was last seen to change
	alive   bool      // the same holder was seen to renew it
}

func (o *Observed) see(l *coordinationv1.Lease) {
	holder := holderOf(l)
	if o.version == l.ResourceVersion {
		return
	}
	o.alive = o.version != "" && o.holder == holder
	o.holder, o.version, o.at = holder, l.ResourceVersion, time.Now()
}

// skew is by how much the holder's clock may be wrong before it matters: a
// Lease that has expired by more than that is not observed first. Even then
// only one of two processes could record the next revision.
const skew = 2 * time.Minute

// try takes the Lease if it is free, ours, or its holder is gone. It returns
// errHeld if it is not.
func (l *Lock) try(ctx context.Context, o Options, seen *Observed) error {
	now := time.Now()
	fresh := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: Name(o.Release), Namespace: o.Namespace,
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "fairlead"},
			Annotations: map[string]string{annotationRelease: o.Release},
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
	if again.Load() > 0 && holderOf(have) == l.id {
		l.lease, l.renewed = have, now
		return nil
	}
	seen.see(have)
	if !free(have, *seen, now, o.Supersede) {
		return errHeld
	}
	have.Spec = l.spec(now, transitionsOf(have)+1)
	delete(have.Annotations, annotationWaiting)
	got, err = l.leases.Update(ctx, have, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errHeld // another process was faster, or the holder is alive after all
	}
	if err == nil {
		l.lease, l.renewed, l.waited = got, now, true
	}
	return err
}

// free reports whether a Lease may be taken from its holder.
func free(l *coordinationv1.Lease, seen Observed, now time.Time, supersede bool) bool {
	return seen.holder == "" || time.Since(seen.at) > max(validity(l), time.Second) ||
		l.Spec.RenewTime != nil && now.Sub(l.Spec.RenewTime.Time) > validity(l)+skew ||
		supersede && l.Annotations[annotationWaiting] != ""
}

func (l *Lock) spec(now time.Time, transitions int32) coordinationv1.LeaseSpec {
	seconds := int32(max(1, l.duration/time.Second))
	micro := metav1.NewMicroTime(now)
	return coordinationv1.LeaseSpec{
		HolderIdentity: &l.id, LeaseDurationSeconds: &seconds, AcquireTime: &micro, RenewTime: &micro, LeaseTransitions: &transitions,
	}
}

// validity is how long a Lease counts as held after it was renewed.
func validity(l *coordinationv1.Lease) time.Duration {
	if l.Spec.LeaseDurationSeconds == nil {
		return 0
	}
	return min(Longest, time.Duration(*l.Spec.LeaseDurationSeconds)*time.Second)
}

// shown is the identity of a holder for messages: anyone who may write Leases
// has chosen it.
func shown(holder string) string { return clean.Short(holder, 100) }

func holderOf(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

func transitionsOf(l *coordinationv1.Lease) int32 {
	if l.Spec.LeaseTransitions == nil {
		return 0
	}
	return *l.Spec.LeaseTransitions
}
