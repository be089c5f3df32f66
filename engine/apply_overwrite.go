package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// overwrite patches the live object into what the plan makes of it, and applies
// the body then, which makes the fields the release's own. Both are done under
// the resourceVersion that was read last. After a write by another client the
// object is read again, and the step fails with a *StalePlanError if anything
// differs that the plan sets or overwrites.
func (r *run) overwrite(ctx context.Context, i int, w write) error {
	o := r.w.steps[i].object
	patch, err := mergePatch(w.overwrite.from, w.overwrite.to)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(patch, &fields); err != nil {
		return fmt.Errorf("decode the patch: %w", err)
	}
	opts := metav1.PatchOptions{FieldManager: r.e.opts.FieldManager}
	planned := w.overwrite.from
	err = r.whileAsPlanned(ctx, i, planned, fields, w, func(resourceVersion string) (*unstructured.Unstructured, error) {
		body, err := json.Marshal(withResourceVersion(&unstructured.Unstructured{Object: fields}, resourceVersion).Object)
		if err != nil {
			return nil, fmt.Errorf("encode the patch: %w", err)
		}
		return r.e.patch(ctx, o.target, types.MergePatchType, body, opts)
	})
	if err != nil {
		return fmt.Errorf("overwrite what does not fit: %w", err)
	}
	patched := r.state.live(i)
	// The patch has made its fields the engine's as an update does; the apply
	// would share them with that, and never remove them.
	if err := r.takeOver(ctx, i, merge.Former{Managers: []string{r.e.opts.FieldManager}, Base: w.body}); err != nil {
		return err
	}
	return r.whileAsPlanned(ctx, i, patched, fields, w, func(resourceVersion string) (*unstructured.Unstructured, error) {
		return r.e.serverSideApply(ctx, o.target, withResourceVersion(w.body, resourceVersion), w.force, false)
	})
}

// whileAsPlanned writes an object under the resourceVersion that the run knows,
// and again if another client was faster, as long as what the plan looked at is
// as in planned.
func (r *run) whileAsPlanned(ctx context.Context, i int, planned *unstructured.Unstructured, patch map[string]any, w write, send func(resourceVersion string) (*unstructured.Unstructured, error)) error {
	o := r.w.steps[i].object
	return retry.OnError(backoff, isRace, func() error {
		live := r.state.live(i)
		if live.GetUID() != planned.GetUID() {
			return &StalePlanError{Key: r.p.Key, Object: o.id, Then: "another object of this name", Now: "one that was created since", Applying: true}
		}
		for _, sets := range []map[string]any{patch, w.body.Object} {
			if field := changedWithin(sets, planned.Object, live.Object, nil); field != "" {
				return &StalePlanError{Key: r.p.Key, Object: o.id, Field: field, Then: "one value", Now: "another, which another client has set", Applying: true}
			}
		}
		u, err := send(live.GetResourceVersion())
		if isRace(err) {
			now, readErr := r.e.cluster.Resource(o.mapping, o.id.Namespace).Get(ctx, o.id.Name, metav1.GetOptions{})
			if readErr != nil {
				return readErr
			}
			u = now
		}
		if u != nil {
			r.state.setLive(i, u)
		}
		return err
	})
}

// changedWithin is the first path among those that sets has at which two states
// of an object differ; empty if there is none. Lists count as a whole.
func changedWithin(sets any, planned, live map[string]any, at fieldpath.Path) string {
	fields, _ := sets.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		path := append(at.Copy(), fieldpath.PathElement{FieldName: &key})
		below, isMap := fields[key].(map[string]any)
		was, wasMap := planned[key].(map[string]any)
		is, stillMap := live[key].(map[string]any)
		if isMap && wasMap && stillMap && len(below) > 0 {
			if field := changedWithin(below, was, is, path); field != "" {
				return field
			}
		} else if !jsonEqual(planned[key], live[key]) {
			return diff.FormatPath(path)
		}
	}
	return ""
}
