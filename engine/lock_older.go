package engine

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Engines of earlier versions hold a Lease instead of marking their revision.

// leases are those of one namespace.
type leases interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*coordinationv1.Lease, error)
}

// awaitOlder waits for an operation of such an engine, which an unfinished revision
// without a mark may be of.
func (t *turns) awaitOlder(ctx context.Context) (waited bool, err error) {
	if t.e.leases == nil {
		return false, nil
	}
	first, err := t.e.olderMark(ctx, t.key)
	if err != nil || first.Holder == "" {
		return false, err
	}
	found, err := t.wait(ctx, first, func(ctx context.Context) (lock.Found, error) { return t.e.olderMark(ctx, t.key) })
	return found.Version != first.Version, err
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
