package engine

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// takeOver makes the fields that former managers applied the engine's own,
// before the object is applied, so that those no longer wanted are removed.
// It changes nothing but managedFields.
func (r *run) takeOver(ctx context.Context, it *item) error {
	pl := &planning{e: r.e, key: r.p.Key, manager: r.e.opts.FieldManager, adopt: r.w.release.Adopt, past: &past{base: r.w.attempts}}
	resource := r.e.c.resource(it.mapping, it.object.Namespace)
	return retry.OnError(backoff, apierrors.IsConflict, func() error {
		owned, err := r.e.c.merger.TakeOver(ctx, it.live, pl.lastApplied(it), pl.manager, pl.formerManagers(it.live), annotationName)
		if err != nil {
			return err
		}
		if owned == it.live {
			return nil
		}
		patch, err := json.Marshal([]map[string]any{
			{"op": "replace", "path": "/metadata/managedFields", "value": owned.GetManagedFields()},
			{"op": "replace", "path": "/metadata/resourceVersion", "value": it.live.GetResourceVersion()},
		})
		if err != nil {
			return fmt.Errorf("encode managedFields: %w", err)
		}
		u, err := resource.Patch(ctx, it.object.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: pl.manager})
		if apierrors.IsConflict(err) {
			now, getErr := resource.Get(ctx, it.object.Name, metav1.GetOptions{})
			if getErr != nil {
				return getErr
			}
			it.live = now
		} else if err == nil {
			it.live = u
		}
		return err
	})
}
