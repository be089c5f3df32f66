package engine

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/internal/merge"
)

// takeOver makes the fields that former managers applied the engine's own,
// before the object is applied, so that those no longer wanted are removed. It
// changes only managedFields.
func (r *run) takeOver(ctx context.Context, i int, former merge.Former) error {
	return r.changeOwners(ctx, i, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return r.e.cluster.Merger.TakeOver(ctx, live, r.e.opts.FieldManager, former)
	})
}

// takeBack makes fields that others took, and that are as desired, the engine's
// own again. It changes only managedFields.
func (r *run) takeBack(ctx context.Context, i int, body *unstructured.Unstructured, t takeBack) error {
	return r.changeOwners(ctx, i, func(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return r.e.cluster.Merger.TakeBack(ctx, live, body, r.e.opts.FieldManager, t.former, t.has)
	})
}

// changeOwners writes the managedFields of an object as change returns them,
// which returns the same object where they stay.
func (r *run) changeOwners(ctx context.Context, i int, change func(live *unstructured.Unstructured) (*unstructured.Unstructured, error)) error {
	o := r.w.steps[i].object
	resource := r.e.cluster.Resource(o.mapping, o.id.Namespace)
	return retry.OnError(backoff, apierrors.IsConflict, func() error {
		live := r.state.live(i)
		owned, err := change(live)
		if err != nil {
			return err
		}
		if owned == live {
			return nil
		}
		patch, err := json.Marshal([]map[string]any{
			{"op": "add", "path": "/metadata/managedFields", "value": owned.GetManagedFields()},
			{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
		})
		if err != nil {
			return fmt.Errorf("encode managedFields: %w", err)
		}
		u, err := resource.Patch(ctx, o.id.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: r.e.opts.FieldManager})
		if apierrors.IsConflict(err) {
			now, getErr := resource.Get(ctx, o.id.Name, metav1.GetOptions{})
			if getErr != nil {
				return getErr
			}
			r.state.setLive(i, now)
		} else if err == nil {
			r.state.setLive(i, u)
		}
		return err
	})
}
