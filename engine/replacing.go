package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// errNotThere: a replacement ended between its two halves.
var errNotThere = errors.New("it was deleted to be replaced, and is not there again")

// replace deletes an object and creates it again. If it dies in between, the
// next plan finds the object missing, and creates it.
func (r *run) replace(ctx context.Context, it *item) error {
	if err := r.growClaims(ctx, it); err != nil {
		return err
	}
	pods, err := r.podsOf(ctx, it)
	if err != nil {
		return err
	}
	given := ctx
	if it.orphan {
		// What it owns is on its own until it is there again, so a caller who
		// gives up does not stop this half-way.
		var cancel context.CancelFunc
		ctx, cancel = r.toTheEnd(ctx)
		defer cancel()
	}
	if err := r.e.deleteToReplace(ctx, it); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete it: %w", err)
	}
	err = r.waitGone(ctx, it)
	if err == nil {
		it.takeOver = false // nobody owns a field of it
		err = r.write(ctx, it)
	}
	if err != nil {
		return &Error{
			Op: "replace", Key: r.p.Key, Object: it.object, Hint: "deploy again, which creates it",
			Err: fmt.Errorf("%w: %w", errNotThere, err),
		}
	}
	return r.waitAdopted(given, it, pods)
}

func (r *run) waitGone(ctx context.Context, it *item) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	return readiness.WaitGone(ctx, []readiness.Target{target(it)}, r.e.waitOptions())
}

// toTheEnd is ctx, which ends recordingTime later than it would, unless the
// release's lock was lost: then another deployer goes on from here.
func (r *run) toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if r.lock.lost() {
			cancel(context.Cause(ctx))
			return
		}
		t := time.AfterFunc(recordingTime, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(longer, func() { t.Stop() })
	})
	return longer, func() { stop(); cancel(nil) }
}
