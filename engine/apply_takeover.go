package engine

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/internal/merge"
)

// takeOver makes the fields that former managers applied the engine's own,
// before the object is applied, so that those no longer wanted are removed. It
// changes only managedFields.
func (r *run) takeOver(ctx context.Context, i int, former merge.Former) error {
	o, manager := r.w.steps[i].object, r.e.opts.FieldManager
	resource := r.e.cluster.Resource(o.mapping, o.id.Namespace)
	return retry.OnError(backoff, apierrors.IsConflict, func() error {
		live := r.state.live(i)
		owned, err := r.e.cluster.Merger.TakeOver(ctx, live, manager, former)
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
		u, err := resource.Patch(ctx, o.id.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: manager})
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
