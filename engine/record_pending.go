package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// recorder records the revision of a plan, and what becomes of it.
type recorder struct {
	e      *Engine
	p      *Plan
	record *storage.Record // the revision that stands for the outcome
	cause  string          // of this call; empty: as planned
	labels map[string]string
	begun  bool // the pending revision is recorded
	// remaining are the objects that are no longer wanted and are still there,
	// as inRelease has them.
	remaining map[diff.Object]bool
	// unchanged: no object was written or deleted.
	unchanged bool
	// resumed: the revision is one that was left pending, and goes on.
	resumed bool
	notes   *notes
	lock    *lock.Lock // nil: only for looks
}

// errRaced: another operation recorded the revision that was planned.
var errRaced = errors.New("another operation has recorded the revision")

// recordPending records the pending revision, before anything else is written, with
// the mark of who works on it. It fails with errRaced if another operation has
// recorded that revision. Where the outcome is all that will be written, a revision
// that goes on needs no mark: writing fails if it was changed since it was read.
func (r *recorder) recordPending(ctx context.Context, onlyOutcome bool) error {
	if r.resumed {
		return r.recordResumed(ctx, onlyOutcome)
	}
	if err := r.takeLeft(ctx); err != nil {
		return err
	}
	now := time.Now()
	r.record.LastDeployed, r.record.FirstDeployed = now, now
	if last := r.p.work.history.last; last != nil && !last.FirstDeployed.IsZero() {
		r.record.FirstDeployed = last.FirstDeployed
	}
	r.record.Description, r.record.AppliedPlan = describe(r.p, "in progress"), r.p.work.reviewed
	r.identify(r.record)
	r.record.Progress, r.record.Mark = r.notes.text(), r.lock.Mark()
	err := r.e.store.Create(ctx, r.record)
	if errors.Is(err, storage.ErrRevisionExists) {
		return errRaced
	}
	if err != nil {
		return err
	}
	r.lock.Hold(r.record.Held(), now)
	r.begun = true
	r.reportPlanned()
	return nil
}

// recordResumed marks the revision that goes on, unless that was taken over before.
func (r *recorder) recordResumed(ctx context.Context, onlyOutcome bool) error {
	switch mark := r.record.Mark; {
	case mark != nil && r.lock.Holds(*mark):
		r.record.Hold(r.lock.Held())
	case !onlyOutcome:
		before := time.Now()
		r.record.Mark = r.lock.Mark()
		if err := r.update(ctx); err != nil {
			return err
		}
		r.lock.Hold(r.record.Held(), before)
	}
	r.begun = true
	r.reportPlanned()
	return nil
}

// takeLeft takes over the revision that was left pending before the one that is
// recorded, so that nobody else goes on with it.
func (r *recorder) takeLeft(ctx context.Context) error {
	last := r.p.work.history.last
	if last == nil || !last.Status.Pending() || last.Mark != nil && r.lock.Holds(*last.Mark) {
		return nil
	}
	before := time.Now()
	held, err := r.e.store.TakeOver(ctx, last.Claim(), *r.lock.Mark())
	if errors.Is(err, storage.ErrChanged) || errors.Is(err, storage.ErrNotFound) {
		return errRaced
	}
	if err == nil {
		r.lock.Hold(held, before)
	}
	return err
}

// recordUninstalling records in the newest revision that it is being
// uninstalled, before anything is deleted. It fails with errRaced if another
// operation has changed the revision.
func (r *recorder) recordUninstalling(ctx context.Context) error {
	record := *r.p.work.history.last
	record.Hooks = slices.Clone(record.Hooks)
	r.record = &record
	reserve := r.e.reserve
	if r.resumed {
		reserve = r.e.reserveUnchanged
	}
	if err := reserve(ctx, r.p.Key, r.p.work.history, r.lock); err != nil {
		return err
	}
	if r.resumed {
		r.begun = true
		r.reportPlanned()
		return nil
	}
	record.Progress, record.Mark = r.notes.text(), &storage.Mark{} // the reserved revision has it
	record.Status, record.AppliedPlan = storage.StatusUninstalling, r.p.work.reviewed
	record.Description = describe(r.p, "in progress")
	r.identify(r.record)
	if err := r.update(ctx); err != nil {
		return errors.Join(err, releaseHeld(ctx, r.lock))
	}
	r.begun = true
	r.reportPlanned()
	return nil
}

// saveNotes writes into the revision what has been noted since it was recorded. It
// fails with errRaced if another operation has changed the revision.
func (r *recorder) saveNotes(ctx context.Context) error {
	if r.notes.text() == r.record.Progress {
		return nil
	}
	return r.write(ctx)
}

// write writes the revision with its notes.
func (r *recorder) write(ctx context.Context) error {
	r.record.Progress = r.notes.text()
	if r.record.Held() != nil {
		r.record.Mark = r.lock.Mark()
	}
	return r.update(ctx)
}

// update writes the revision. It fails with errRaced if another operation has
// changed it, which ends a lock on it.
func (r *recorder) update(ctx context.Context) error {
	held := r.record.Held() != nil
	err := r.e.store.Update(ctx, r.record)
	if !errors.Is(err, storage.ErrChanged) && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if held {
		r.lock.Lose()
	}
	return errRaced
}

// previous is the newest revision before the one that is recorded; nil: there is
// none.
func (r *recorder) previous() *storage.Record {
	if !r.resumed || r.p.Kind == PlanUninstall {
		return r.p.work.history.last
	}
	for _, before := range slices.Backward(r.p.work.history.base) {
		if before.Revision != r.record.Revision {
			return before
		}
	}
	return nil
}

// before are the stored revisions other than the one that is recorded.
func (r *recorder) before() []storage.Meta {
	return slices.DeleteFunc(slices.Clone(r.p.work.history.inventory.Revisions), func(m storage.Meta) bool { return m.Revision == r.record.Revision })
}

// identify writes the cause and the labels of the call into a record.
func (r *recorder) identify(record *storage.Record) {
	record.Cause = cmp.Or(r.cause, record.Cause)
	record.Labels = mergedLabels(record.Labels, r.labels)
}

// reportPlanned reports the plan, once its revision is recorded.
func (r *recorder) reportPlanned() {
	r.e.events.emit(Planned{about(r.p.Key), r.p.Report.Summary(), countChanged(r.p.Report), true})
	r.reportRecorded()
}

func (r *recorder) reportRecorded() {
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, RevisionStatus(r.record.Status)})
}
