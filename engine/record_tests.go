package engine

import (
	"context"
	"errors"

	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// recordTests stores the results of the tests, even if another client has
// changed the revision meanwhile.
func (r *recorder) recordTests(ctx context.Context, tests []hook) error {
	changed := func(err error) bool { return errors.Is(err, storage.ErrChanged) }
	record := r.record
	return retry.OnError(backoff, changed, func() error {
		err := r.e.store.Update(ctx, record)
		if !changed(err) {
			return err
		}
		now, readErr := r.e.store.Get(ctx, record.Namespace, record.Name, record.Revision)
		if readErr != nil {
			return readErr
		}
		copyRuns(now, tests)
		record = now
		return err
	})
}

// copyRuns writes the runs of hooks into the same hooks of a record.
func copyRuns(record *storage.Record, hooks []hook) {
	for _, h := range hooks {
		for i := range record.Hooks {
			if into := &record.Hooks[i]; into.Path == h.stored.Path && into.Name == h.stored.Name && into.Kind == h.stored.Kind {
				into.LastRun = h.stored.LastRun
			}
		}
	}
}
