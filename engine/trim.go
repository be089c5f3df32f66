package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// trimAttempts keeps a release that fails again and again from filling the
// cluster with its history. Revisions that were healthy are something to go
// back to, and stay; an attempt is forgotten only if the one that has just
// failed wants all that it wanted, so that nothing is orphaned.
func (r *run) trimAttempts(ctx context.Context, keep int) error {
	excess := len(r.w.stock.Revisions) + 1 - keep
	if keep < 0 || excess <= 0 {
		return nil
	}
	wanted, ok := wantedBy(r.record)
	if !ok {
		return nil
	}
	for _, attempt := range r.w.attempts {
		if excess <= 0 {
			return nil
		}
		if attempt.Status != storage.StatusFailed && !attempt.Status.Pending() {
			continue
		}
		before, ok := wantedBy(attempt)
		for o := range before {
			ok = ok && wanted[o]
		}
		if !ok {
			continue
		}
		if err := r.e.store.Delete(ctx, attempt.Namespace, attempt.Name, attempt.Revision); err != nil {
			return err
		}
		excess--
	}
	return nil
}

// wantedBy are the objects of a revision's manifest; not ok if it cannot be
// read.
func wantedBy(record *storage.Record) (wanted map[diff.Object]bool, ok bool) {
	objects, err := parseManifest(record.Manifest.String())
	if err != nil {
		return nil, false
	}
	wanted = map[diff.Object]bool{}
	for _, o := range objects {
		wanted[identity(diff.ObjectOf(o.Unstructured))] = true
	}
	return wanted, true
}
