package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// repeatsFailure reports whether a call that failed wanted what the failed
// revision before it wanted, and wrote no object, or is a correction: then it is
// the same failure.
func (r *recorder) repeatsFailure() bool {
	last := r.previous()
	return last != nil && last.Status == storage.StatusFailed && sameContent(last, r.record) &&
		(r.unchanged || r.p.Kind == PlanCorrection)
}

// amendFailure records the failure in the failed revision before this one, in
// place of a revision of its own.
func (r *recorder) amendFailure(ctx context.Context, last *storage.Record) error {
	amended := *last
	amended.Description, amended.LastDeployed, amended.Progress = r.record.Description, r.record.LastDeployed, r.record.Progress
	r.identify(&amended)
	if err := r.e.store.Discard(ctx, r.record); errors.Is(err, storage.ErrChanged) {
		r.lock.Lose()
		return errRaced
	} else if err != nil {
		return err
	}
	if err := r.e.store.Update(ctx, &amended); err != nil {
		return err
	}
	r.record = &amended
	r.reportRecorded()
	return nil
}

// repeatedCorrections are the corrections of the same state right before one that
// has succeeded, failed ones among them: they are nothing to go back to.
func (r *recorder) repeatedCorrections() []*storage.Record {
	if r.p.Kind != PlanCorrection {
		return nil
	}
	base := r.p.work.history.base
	if n := len(base); n > 0 && base[n-1].Revision == r.record.Revision {
		base = base[:n-1] // the one that a pass goes on with
	}
	first := len(base)
	for first > 0 && strings.HasPrefix(base[first-1].Description, correctionOf) && sameContent(base[first-1], r.record) {
		first--
	}
	return base[first:]
}
