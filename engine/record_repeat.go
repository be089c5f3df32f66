package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// repeatsFailure reports whether a deploy that failed wanted what the failed one
// before it wanted, and changed nothing.
func repeatsFailure(last, failed *storage.Record, report diff.Report) bool {
	return last != nil && last.Status == storage.StatusFailed && sameContent(last, failed) &&
		!slices.ContainsFunc(report.Changes, diff.Change.Changed)
}

// amendFailure records the failure in the failed revision before this one, in
// place of a revision of its own.
func (r *recorder) amendFailure(ctx context.Context, last *storage.Record) error {
	amended := *last
	amended.Description, amended.LastDeployed = r.record.Description, r.record.LastDeployed
	if err := r.e.store.Update(ctx, &amended); err != nil {
		return err
	}
	if err := r.e.store.Delete(ctx, r.record.Namespace, r.record.Name, r.record.Revision); err != nil {
		return err
	}
	r.record = &amended
	r.reportRecorded()
	return nil
}

// repeatsCorrection reports whether the revision that a correction builds on is
// itself a correction, of the same state: then it is nothing to go back to.
func repeatsCorrection(kind PlanKind, last, corrected *storage.Record) bool {
	return kind == PlanCorrection && last != nil && last.Status == storage.StatusDeployed &&
		strings.HasPrefix(last.Description, correctionOf) && sameContent(last, corrected)
}
