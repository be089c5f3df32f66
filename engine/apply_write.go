package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// applyStep writes one object, if the plan changes it, and sends its terminal
// event.
func (r *run) applyStep(ctx context.Context, i int) *Error {
	s := r.w.steps[i]
	begun := time.Now()
	if s.change.Changed() {
		ctx, warned := cluster.WithWarnings(ctx)
		var err error
		if s.change.Action == diff.Replaced {
			err = r.replace(ctx, i)
		} else {
			err = r.write(ctx, i, s.write)
		}
		for _, w := range warned.Texts() {
			r.e.events.emit(Warning{about(r.p.Key), r.w.redactor.String(w)})
		}
		if errors.Is(err, errInTransition) {
			return &Error{Op: "apply", Key: r.p.Key, Object: s.object.id, Err: err}
		}
		if err == nil {
			err = r.warnOfDropped(i)
		}
		if err != nil {
			return r.fail(i, "apply", err)
		}
	}
	r.end(i, Applied{about(r.p.Key), s.object.id, s.change.Action, time.Since(begun)})
	return nil
}

// warnOfDropped reports the fields of an object that the API server has not
// stored. The plan says so, too, but not if it could not ask, or if another API
// server responded, of another version.
func (r *run) warnOfDropped(i int) error {
	s := r.w.steps[i]
	live := r.state.live(i)
	if s.write.body == nil || live == nil {
		return nil
	}
	left, err := dropped(s.object.id, nil, s.write.body, live)
	for _, text := range left {
		r.e.events.emit(Warning{about(r.p.Key), fmt.Sprintf("%s: %s", s.object.id, text)})
	}
	return err
}

// write applies the object of a step by w, again if another writer came in
// between, and notes what is live then.
func (r *run) write(ctx context.Context, i int, w write) error {
	o := r.w.steps[i].object
	again := func(err error) bool {
		return isRace(err) || w.awaitKind && isUnserved(err) || w.awaitSchema && (isUntyped(err) || apierrors.IsInvalid(err)) ||
			w.awaitQuota && isQuota(err)
	}
	pauses := backoff
	if w.awaitQuota {
		pauses = quotaBackoff
	}
	return retry.OnError(pauses, again, func() error {
		if w.takeOver != nil {
			if err := r.takeOver(ctx, i, *w.takeOver); err != nil {
				return fmt.Errorf("take over from former field managers: %w", err)
			}
		}
		if w.takeBack != nil {
			if err := r.takeBack(ctx, i, w.body, *w.takeBack); err != nil {
				return fmt.Errorf("take fields back from other field managers: %w", err)
			}
		}
		if w.overwrite != nil {
			return r.overwrite(ctx, i, w)
		}
		u, err := r.e.serverSideApply(ctx, o.target, w.body, w.force, false)
		if err != nil {
			return err
		}
		r.state.setLive(i, u)
		if w.twice || o.live != nil && (emptied{object: o.id}).lacks(w.body.Object, o.live.Object, u.Object) {
			return r.writeAgain(ctx, i, w)
		}
		return nil
	})
}

// writeAgain applies the same body once more: a mapping that is emptied goes
// along with what was in it, and is only added by the second apply. Another
// manager that has it, too, is no conflict, since the first apply had none.
func (r *run) writeAgain(ctx context.Context, i int, w write) error {
	return r.whileAsPlanned(ctx, i, r.state.live(i), nil, w, func(resourceVersion string) (*unstructured.Unstructured, error) {
		return r.e.serverSideApply(ctx, r.w.steps[i].object.target, withResourceVersion(w.body, resourceVersion), true, false)
	})
}

// isUnserved reports whether the API server does not serve the resource: it
// takes a moment until it serves what a new CRD defines.
func isUnserved(err error) bool { return apierrors.IsNotFound(err) && !missingNamespace(err) }

// isRace reports whether a server-side apply lost against another writer and
// may be tried again: both created the object, or the server's own attempts to
// merge with the newest version were used up. A conflict over fields is not a
// race.
func isRace(err error) bool {
	if apierrors.IsAlreadyExists(err) {
		return true
	}
	managers, _ := conflictManagers(err)
	return apierrors.IsConflict(err) && len(managers) == 0
}

// fail sends the terminal event of a step that failed.
func (r *run) fail(i int, op string, err error) *Error {
	o := r.w.steps[i].object.id
	e := r.redactedError(o, op, err)
	if errors.Is(e, ErrQuota) {
		e.Hint = quotaHintOf(o, r.w.steps)
	}
	r.end(i, Failed{about(r.p.Key), o, e.Err})
	return e
}

// redactedError is a request's error, about an object and without secrets.
func (r *run) redactedError(o diff.Object, op string, err error) *Error {
	e := asError(r.p.Key, explain(op, r.p.Key, o, err))
	e.Object = o
	e.hide(r.w.redactor, o)
	return e
}
