package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// readHistory reads the revisions that count for a plan.
func (e *Engine) readHistory(ctx context.Context, k Key) (*history, error) {
	if err := k.validate(); err != nil { // it goes into a selector
		return nil, err
	}
	h, err := e.tryReadHistory(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		h, err = e.tryReadHistory(ctx, k) // another operation has trimmed it meanwhile
	}
	return h, err
}

func (e *Engine) tryReadHistory(ctx context.Context, k Key) (*history, error) {
	h, err := e.listHistory(ctx, k)
	if err != nil {
		return nil, err
	}
	return h, e.readRecords(ctx, h)
}

// listHistory is the history without the bodies of revisions: last and base
// are not set.
func (e *Engine) listHistory(ctx context.Context, k Key) (*history, error) {
	inventory, err := e.store.Stock(ctx, k.Namespace, k.Name)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	return &history{inventory: inventory, from: newestHealthy(inventory.Revisions)}, nil
}

func (e *Engine) readRecords(ctx context.Context, h *history) error {
	relevant := h.inventory.Revisions[h.from:]
	records := make([]*storage.Record, len(relevant))
	work := parallel.New(ctx, e.opts.Concurrency)
	for i, m := range relevant {
		work.Do(func(ctx context.Context) (err error) {
			if records[i], err = e.store.Read(ctx, h.inventory, m); err != nil {
				return fmt.Errorf("read revision %d: %w", m.Revision, err)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	h.inventory.Lighten()
	for i, r := range records {
		h.last = r
		if relevant[i].Status != storage.StatusUninstalled {
			h.base = append(h.base, r)
		}
	}
	return nil
}
