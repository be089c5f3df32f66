package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
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
	return h, e.readRecords(ctx, k, h)
}

// listHistory is the history without the bodies of revisions: last and base
// are not set.
func (e *Engine) listHistory(ctx context.Context, k Key) (*history, error) {
	inventory, err := e.store.Inventory(cluster.Accounted(ctx), k.Namespace, k.Name)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	inputsOf(ctx).addHistory(k, inventory)
	return &history{inventory: inventory, from: newestHealthy(inventory.Revisions)}, nil
}

// readRecords reads the revisions that count. One that cannot be read is passed
// over, so that a broken or forged revision does not stop all deploys; but if
// none can be read, it is unknown what is deployed, and that is the error.
func (e *Engine) readRecords(ctx context.Context, k Key, h *history) error {
	records, first, broken, err := e.store.Relevant(cluster.Accounted(ctx), h.inventory, h.from, e.opts.Concurrency)
	if err != nil {
		return err
	}
	h.from = first
	h.inventory.DropBodies()
	for i, r := range records {
		if r == nil {
			continue
		}
		h.last = r
		if h.inventory.Revisions[h.from+i].Status != storage.StatusUninstalled {
			h.base = append(h.base, r)
		}
	}
	if h.last == nil && len(broken) > 0 {
		return broken[0]
	}
	for _, b := range broken {
		e.events.emit(Warning{about(k), "a stored revision is passed over: " + b.Error()})
	}
	for _, name := range h.inventory.Ignored {
		e.events.emit(Warning{about(k), name + " is labelled as a revision and is not one; it is passed over"})
	}
	return nil
}
