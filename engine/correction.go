package engine

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// op is what an error of going back says was being done.
func (o PlanOptions) op() string {
	switch {
	case o.drift:
		return "drift"
	case o.correct:
		return "plan correction"
	}
	return "rollback"
}

// settled says whether a revision with this status was applied wholly once.
func settled(s storage.Status) bool {
	return s == storage.StatusDeployed || s == storage.StatusSuperseded
}

// unfinished is why there is no correction, and while an uninstall is under
// way no drift either; nil: there is. To correct what did not become healthy
// would finish a deploy, without its hooks, or undo an uninstall.
func (p *past) unfinished(k Key, opts PlanOptions) error {
	last := p.last
	e := &Error{Op: opts.op(), Key: k, Hint: "deploy again, or roll back"}
	switch {
	case last.Status == storage.StatusUninstalling:
		e.Hint = "Uninstall again finishes it; or deploy what shall stay"
	case opts.drift || settled(last.Status) || p.repeats():
		return nil
	}
	e.Err = fmt.Errorf("%w: revision %d is %s", ErrUnfinished, last.Revision, last.Status)
	return e
}

// repeats says whether all attempts since the last healthy revision are for
// what that one applied, as is a correction that failed.
func (p *past) repeats() bool {
	for _, r := range p.base {
		if r.Status == storage.StatusUninstalling || recordDiffers(p.base[0], r) {
			return false
		}
	}
	return true
}

// asWritten makes what was written last what is desired, where the newest
// revision did not become healthy: what it did not come to is nobody's drift.
// What was never written, and what is gone that it wants no more, are left out.
func (pl *planning) asWritten(ctx context.Context, items []*item) ([]*item, error) {
	var out []*item
	for _, it := range items {
		if it.base == nil || it.unwritten || it.live == nil && it.desired == nil {
			continue
		}
		u := it.base
		if u.GroupVersionKind() != it.mapping.GroupVersionKind {
			was, err := pl.newItem(ctx, u, it.source, nil)
			switch {
			case errors.Is(err, ErrUnknownKind):
				u = u.DeepCopy()
				u.SetGroupVersionKind(it.mapping.GroupVersionKind)
			case err != nil:
				return nil, err
			default:
				was.base, was.crd, was.parent = u, it.crd, it.parent
				if it.live != nil {
					if err := pl.get(ctx, was); err != nil {
						return nil, err
					}
				}
				it = was
			}
		}
		it.desired = &unstructured.Unstructured{Object: u.Object}
		it.rendered = it.desired
		out = append(out, it)
	}
	return out, nil
}
