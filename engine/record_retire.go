package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// retireAndTrim makes the recorded revision the only one that is deployed, and
// deletes the oldest ones: not beside recording the outcome, since a release whose
// process dies in between would have no revision that is deployed. The next operation
// may have begun, which knows the outcome, and does itself what is not done.
func (r *recorder) retireAndTrim(ctx context.Context, keep int) error {
	before := r.before()
	inventory := r.p.work.history.inventory
	for _, repeated := range r.repeatedCorrections() {
		if err := r.e.store.Delete(ctx, repeated.Namespace, repeated.Name, repeated.Revision); err != nil {
			return err
		}
		before = slices.DeleteFunc(slices.Clone(before), func(m storage.Meta) bool { return m.Revision == repeated.Revision })
	}
	inventory.Revisions = append(slices.Clone(before), r.record.Meta())
	for i, m := range before {
		if m.Status == storage.StatusDeployed { // no longer
			inventory.Revisions[i].Status = storage.StatusSuperseded
		}
	}
	// A failure of one does not keep the others from being done.
	var retired, trimmed error
	err := parallel.All(ctx,
		func(ctx context.Context) error { retired = r.retireAll(ctx, before); return nil },
		func(ctx context.Context) error {
			if keep > 0 {
				trimmed = r.e.store.Trim(ctx, r.p.Key.Namespace, inventory, keep)
			}
			return nil
		},
	)
	return errors.Join(err, retired, trimmed)
}

func (r *recorder) retireAll(ctx context.Context, revisions []storage.Meta) error {
	group := parallel.New(ctx, r.e.opts.Concurrency)
	for _, m := range revisions {
		if status, description, ok := retirement(m, r.record.Revision); ok {
			group.Do(func(ctx context.Context) error { return r.retire(ctx, m, status, description) })
		}
	}
	return group.Wait()
}

// retirement decides what is recorded in a revision when a later one, next, has
// become the present one; ok is false for one that stays as it is. A revision
// whose outcome was never recorded was not healthy, as far as is known, and so
// OnFailure does not go back to it. description is empty if it does not change.
func retirement(m storage.Meta, next int) (status storage.Status, description string, ok bool) {
	switch {
	case m.Status == storage.StatusDeployed:
		return storage.StatusSuperseded, "", true
	case m.Status.Pending(), m.Status == storage.StatusUninstalling:
		return storage.StatusFailed, fmt.Sprintf("interrupted before its outcome was known; revision %d followed", next), true
	}
	return "", "", false
}

// retire writes the status of an earlier revision, even if another client
// changes the revision meanwhile.
func (r *recorder) retire(ctx context.Context, m storage.Meta, status storage.Status, description string) error {
	changed := func(err error) bool { return errors.Is(err, storage.ErrChanged) }
	old := copyOf(r.p.work.history.base, m.Revision) // as planning read it, which saves reading it again
	err := retry.OnError(backoff, changed, func() (err error) {
		if old == nil {
			if old, err = r.e.store.Get(ctx, m.Namespace, m.Name, m.Revision); err != nil {
				return err
			}
		}
		if old.Status = status; description != "" {
			old.Description = description
		}
		if err = r.e.store.Update(ctx, old); err != nil {
			old = nil
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) || errors.As(err, new(*storage.DecodeError)) {
		return nil // another operation has trimmed it, or planning has passed it over
	}
	return err
}

// copyOf is a copy of an earlier revision as planning read it; nil if it did
// not.
func copyOf(records []*storage.Record, revision int) *storage.Record {
	for _, r := range records {
		if r.Revision == revision {
			again := *r
			return &again
		}
	}
	return nil
}
