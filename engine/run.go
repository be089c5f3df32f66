package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// run is one plan being carried out.
type run struct {
	e      *Engine
	p      *Plan
	w      *work
	opts   ApplyOptions
	record *storage.Record // the revision that stands for the outcome
	lock   *lock           // nil without rights on Leases
	begun  bool            // the pending revision is recorded
	// ranHook is called when a hook has ended, before it may be deleted; nil:
	// nobody looks.
	ranHook func(context.Context, *item)

	mu      sync.Mutex
	settled map[*item]bool   // those that have had their one event of what became of them
	why     map[*item]string // why an object is skipped, where more is known than that something failed
}

// deploy writes what the plan says, in order, and waits.
func (r *run) deploy(ctx context.Context) error {
	event := map[PlanKind]string{PlanInstall: "install", PlanUpgrade: "upgrade", PlanRollback: "rollback"}[r.p.Kind]
	var crds, written, removed []*item
	var parent *item // of the apply set
	for _, it := range r.w.items {
		switch {
		case it.change.Action == "":
		case it.parent:
			parent = it
		case it.desired == nil:
			removed = append(removed, it)
		case it.crd:
			crds = append(crds, it)
		default:
			written = append(written, it)
		}
	}
	steps := []func() error{
		func() error { return r.applyAll(ctx, crds) },
		func() error { return r.hooks(ctx, "pre-"+event) },
		func() error {
			if err := r.openSet(ctx, parent); err != nil {
				return err
			}
			if r.w.order != nil {
				return r.applyOrdered(ctx, written, r.w.order)
			}
			return r.applyStages(ctx, written)
		},
		func() error {
			if err := r.removeStages(ctx, removed); err != nil {
				return err
			}
			return r.closeSet(ctx, parent)
		},
		func() error {
			r.lock.onlyWaits(true)
			defer r.lock.onlyWaits(false)
			return r.waitReady(ctx)
		},
		func() error { return r.hooks(ctx, "post-"+event) },
	}
	for i, step := range steps {
		err := r.lock.check(ctx)
		if err == nil {
			err = step()
		}
		if err == nil {
			continue
		}
		if i < 4 {
			var failed *ApplyError
			if !errors.As(err, &failed) {
				failed = &ApplyError{Key: r.p.Key, Revision: r.record.Revision, Failed: []*Error{asError(r.p.Key, err)}}
				err = failed
			}
			failed.Skipped = r.skipRest(ctx)
		}
		return err
	}
	return nil
}

func asError(k Key, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Op: "apply", Key: k, Err: err}
}

// settle tells what has become of an object.
func (r *run) settle(it *item, e Event) {
	r.mu.Lock()
	if r.settled == nil {
		r.settled = map[*item]bool{}
	}
	r.settled[it] = true
	r.mu.Unlock()
	r.e.events.emit(e)
	r.settleRelated(it, e)
}

// because notes why an object will be told to be skipped.
func (r *run) because(it *item, why string) {
	if r.why == nil {
		r.why = map[*item]string{}
	}
	r.why[it] = why
}

// skipRest tells of the objects that nothing was done about, and answers
// those that should have changed.
func (r *run) skipRest(ctx context.Context) (skipped []SkippedObject) {
	why := somethingFailed
	if ctx.Err() != nil {
		why = "the call was ended first"
	}
	for _, it := range r.w.items {
		switch {
		case it.change.Action == "" || r.settled[it]:
		case it.change.Action == diff.Kept:
			r.settle(it, Kept{about(r.p.Key), it.object, it.change.Reason})
		default:
			reason := cmp.Or(r.why[it], why)
			skipped = append(skipped, SkippedObject{it.object, reason})
			r.settle(it, Skipped{about(r.p.Key), it.object, reason})
		}
	}
	return skipped
}

// applyStages applies stage by stage. A stage begins when the one before has
// been written wholly; after a failure the later ones are skipped.
func (r *run) applyStages(ctx context.Context, items []*item) error {
	for _, stage := range byStage(items) {
		err := r.lock.check(ctx)
		if err == nil {
			err = r.applyAll(ctx, stage)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies objects that do not need each other, concurrently, and
// waits for CRDs among them to be served.
func (r *run) applyAll(ctx context.Context, items []*item) error {
	failed := &ApplyError{Key: r.p.Key, Revision: r.record.Revision}
	var mu sync.Mutex
	var crds []*item
	work := newLimited(ctx, r.e.opts.Concurrency)
	for _, it := range items {
		work.do(func(ctx context.Context) error {
			err := r.applyItem(ctx, it)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed.Failed = append(failed.Failed, err)
			} else if r.defines(it) {
				crds = append(crds, it)
			}
			return nil // one failure does not stop its neighbours
		})
	}
	err := work.wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if !errors.Is(failed, err) {
			failed.Failed = append(failed.Failed, asError(r.p.Key, err))
		}
		return failed
	}
	if len(failed.Failed) > 0 {
		return failed
	}
	return r.serve(ctx, crds)
}

// defines says whether an object is a CRD that has to be waited for before
// what comes after it.
func (r *run) defines(it *item) bool {
	return it.mapping.GroupVersionKind.GroupKind() == crdKind && (it.change.Changed() || r.hasPending())
}

// hasPending says whether there are objects of kinds that were not served when
// the plan was made.
func (r *run) hasPending() bool {
	return slices.ContainsFunc(r.w.items, func(it *item) bool { return it.pending && it.desired != nil })
}

// applyItem writes one object, if its plan is to change it.
func (r *run) applyItem(ctx context.Context, it *item) *Error {
	begun := time.Now()
	if it.change.Changed() {
		ctx, warned := withWarnings(ctx)
		write := r.write
		if it.change.Action == diff.Replaced {
			write = r.replace
		}
		err := write(ctx, it)
		for _, w := range warned.texts {
			r.e.events.emit(Warning{about(r.p.Key), r.w.redactor.String(w)})
		}
		if err != nil {
			return r.failed(it, "apply", err)
		}
	}
	r.settle(it, Applied{about(r.p.Key), it.object, it.change.Action, time.Since(begun)})
	return nil
}

// write applies one object, again if another writer came in between.
func (r *run) write(ctx context.Context, it *item) error {
	return retry.OnError(backoff, func(err error) bool {
		return raced(err) || it.pending && isUnserved(err) || it.shifts && (isUntyped(err) || apierrors.IsInvalid(err))
	}, func() error {
		if it.takeOver {
			if err := r.takeOver(ctx, it); err != nil {
				return fmt.Errorf("take over from former field managers: %w", err)
			}
		}
		u, err := r.e.applyObject(ctx, it, false)
		if err == nil {
			it.live = u
		}
		return err
	})
}

// failed tells of an object that could not be written.
func (r *run) failed(it *item, op string, err error) *Error {
	e := r.hidden(it, op, err)
	r.settle(it, Failed{about(r.p.Key), it.object, e.Err})
	return e
}

// hidden is a request's error, about an object and without secrets.
func (r *run) hidden(it *item, op string, err error) *Error {
	e := asError(r.p.Key, explain(op, r.p.Key, it.object, err))
	e.Object = it.object
	e.hide(r.w.redactor, it.object)
	return e
}

// redacted is an error whose text had a secret in it. It still answers
// errors.Is, but gives nobody the original.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }

// removeStages deletes in reverse order of stages.
func (r *run) removeStages(ctx context.Context, items []*item) error {
	failed := &ApplyError{Key: r.p.Key, Revision: r.record.Revision}
	defer r.forgetKinds(ctx, items)
	if r.w.removal != nil {
		return r.removeOrdered(ctx, items, r.w.removal)
	}
	for _, stage := range byStage(items) {
		var mu sync.Mutex
		work := newLimited(ctx, r.e.opts.Concurrency)
		for _, it := range stage {
			work.do(func(ctx context.Context) error {
				if err := r.removeItem(ctx, it); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed.Failed = append(failed.Failed, err)
				}
				return nil
			})
		}
		if err := work.wait(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(failed.Failed) > 0 {
		return failed
	}
	return nil
}

// forgetKinds makes the engine look again at what the API server serves, if
// CRDs are among what was deleted.
func (r *run) forgetKinds(ctx context.Context, removed []*item) {
	for _, it := range removed {
		if it.live != nil && it.mapping.GroupVersionKind.GroupKind() == crdKind {
			r.e.c.forgetSchemas(it.live)
			r.e.c.forgetDiscovery(ctx)
		}
	}
}

func (r *run) removeItem(ctx context.Context, it *item) *Error {
	if it.change.Action == diff.Kept {
		r.settle(it, Kept{about(r.p.Key), it.object, it.change.Reason})
		return nil
	}
	begun := time.Now()
	uid := it.live.GetUID() // the one that was looked at, not another of its name
	propagation := metav1.DeletePropagationBackground
	if it.awaited || r.opts.Foreground {
		propagation = metav1.DeletePropagationForeground // gone means with its pods
	}
	err := r.e.c.resource(it.mapping, it.object.Namespace).Delete(ctx, it.object.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return r.failed(it, "delete", err)
	}
	r.settle(it, Applied{about(r.p.Key), it.object, diff.Deleted, time.Since(begun)})
	return nil
}

// tellUnchanged gives every object of a plan that changes nothing its
// terminal event.
func (r *run) tellUnchanged() {
	for _, it := range r.w.items {
		switch {
		case it.change.Action == "":
		case it.change.Action == diff.Kept:
			r.e.events.emit(Kept{about(r.p.Key), it.object, it.change.Reason})
		default:
			r.e.events.emit(Applied{about(r.p.Key), it.object, it.change.Action, 0})
		}
	}
}

func (r *run) createNamespace(ctx context.Context) error {
	begun := time.Now()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.p.Key.Namespace}}
	own := r.w.ownNamespace()
	if own != nil { // so that the next run knows it for the release's, if this one dies
		ns.Labels, ns.Annotations = own.desired.GetLabels(), own.desired.GetAnnotations()
	}
	_, err := r.e.c.typed.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: r.e.opts.FieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	if own != nil {
		return nil // it is told of when it is applied
	}
	o := diff.Object{Version: "v1", Kind: "Namespace", Name: r.p.Key.Namespace}
	r.e.events.emit(Applied{about(r.p.Key), o, diff.Created, time.Since(begun)})
	return nil
}

// serve waits until the API server serves what new CRDs define.
func (r *run) serve(ctx context.Context, crds []*item) error {
	if len(crds) == 0 {
		return nil
	}
	var targets []readiness.Target
	for _, it := range crds {
		targets = append(targets, target(it))
	}
	if err := r.wait(ctx, targets, r.waitOptions(), newTeller(r, false)); err != nil {
		return err
	}
	r.e.c.forgetDiscovery(ctx)
	for _, it := range crds {
		r.e.c.forgetSchemas(it.desired)
	}
	return nil
}
