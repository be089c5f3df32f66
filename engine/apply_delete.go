package engine

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// deleteAll deletes objects, in the order that annotations ask for, or else in
// reverse order of stages.
func (r *run) deleteAll(ctx context.Context, steps []int) error {
	defer r.forgetKinds(ctx, steps)
	if r.w.deleteOrder != nil {
		return r.deleteOrdered(ctx, steps, r.w.deleteOrder)
	}
	failed := r.applyError()
	for _, stage := range r.byStage(steps) {
		var mu sync.Mutex
		group := parallel.New(ctx, r.e.opts.Concurrency)
		for _, i := range stage {
			group.Do(func(ctx context.Context) error {
				if err := r.deleteStep(ctx, i, r.opts.Foreground); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed.Failed = append(failed.Failed, err)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
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
func (r *run) forgetKinds(ctx context.Context, deleted []int) {
	for _, i := range deleted {
		if o := r.w.steps[i].object; o.live != nil && o.isDefinition() {
			r.e.cluster.ForgetSchemas(o.live)
			r.e.cluster.ForgetDiscovery(ctx)
		}
	}
}

// deleteStep deletes the very object that was read, and not another of its
// name, unless the plan keeps it. In the foreground, it is gone only once all
// that it owns is.
func (r *run) deleteStep(ctx context.Context, i int, foreground bool) *Error {
	s := r.w.steps[i]
	if s.change.Action == diff.Kept {
		r.end(i, Kept{about(r.p.Key), s.object.id, s.change.Reason})
		return nil
	}
	begun := time.Now()
	uid, propagation := s.object.live.GetUID(), metav1.DeletePropagationBackground
	if foreground {
		propagation = metav1.DeletePropagationForeground
	}
	err := r.e.cluster.Resource(s.object.mapping, s.object.id.Namespace).Delete(ctx, s.object.id.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	// A conflict is about the UID: a hook has taken the object's place.
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return r.fail(i, "delete", err)
	}
	r.state.setLive(i, nil)
	r.end(i, Applied{about(r.p.Key), s.object.id, diff.Deleted, time.Since(begun)})
	return nil
}
