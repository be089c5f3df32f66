package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// leavePending leaves the revision without an outcome, with all that is noted, so
// that another call can go on from there.
func (r *recorder) leavePending(ctx context.Context, why error) error {
	if r.record == nil || !r.begun {
		return nil
	}
	r.notes.resumable()
	if errors.Is(why, errInTransition) && r.record.Held() == nil {
		return r.saveNotes(ctx)
	}
	if !errors.Is(why, errInTransition) {
		r.record.Description = short(r.p.work.redactor.String(describe(r.p, "left unfinished: "+headline(why))))
	}
	r.record.Progress, r.record.Mark = r.notes.text(), &storage.Mark{}
	return r.update(ctx)
}

// recordingTime is how long recording the outcome may take after the caller's
// context has ended.
const recordingTime = 15 * time.Second

// recordOutcome records the outcome: deployed and earlier revisions superseded,
// or failed. It fails with errRaced if another operation has changed the revision.
func (r *recorder) recordOutcome(ctx context.Context, failure error, opts ApplyOptions) error {
	last := r.previous()
	switch {
	case failure != nil:
		r.record.Status = storage.StatusFailed
		r.record.Description = r.describeFailure(failure)
	case r.p.Kind == PlanRollout && !r.healthyBefore():
		// The revision that it builds on is still not healthy as a whole.
		r.record.Status = storage.StatusFailed
		r.record.Description = fmt.Sprintf("%s; revision %d before it is %s", describe(r.p, "complete"), last.Revision, last.Status)
	default:
		r.record.Status = storage.StatusDeployed
		r.record.Unproven = opts.NoWait
		r.record.Description = describe(r.p, "complete")
	}
	r.notes.ended(r.record.Status == storage.StatusFailed)
	r.record.Progress = r.notes.text()
	if failure != nil && r.repeatsFailure() {
		return r.amendFailure(ctx, last)
	}
	r.record.Mark = nil
	if err := r.update(ctx); err != nil {
		return err
	}
	r.reportRecorded()
	if r.record.Status == storage.StatusFailed {
		return r.trimAttempts(ctx, opts.history())
	}
	return r.retireAndTrim(ctx, opts.history())
}

// healthyBefore reports whether the release was healthy before this revision was
// attempted first: attempts at the same that have no outcome do not count.
func (r *recorder) healthyBefore() bool {
	for _, before := range slices.Backward(r.p.work.history.base) {
		if !before.Status.Pending() || !sameContent(before, r.record) {
			return before.Status == storage.StatusDeployed
		}
	}
	return false
}

// recordUninstalled records how an uninstall ended, and deletes the history
// unless keepHistory is set. After a failure the revision stays "uninstalling": the
// next Uninstall continues from there.
func (r *recorder) recordUninstalled(ctx context.Context, failure error, keepHistory bool) error {
	if failure != nil {
		r.record.Description = r.describeFailure(failure)
		return r.e.store.Update(ctx, r.record)
	}
	r.notes.ended(false)
	r.record.Progress = r.notes.text()
	r.record.Status = storage.StatusUninstalled
	r.record.Description = describe(r.p, "complete")
	r.record.Deleted = time.Now()
	var err error
	if keepHistory {
		err = r.e.store.Update(ctx, r.record)
	} else {
		var released sync.WaitGroup
		released.Go(r.lock.Release)
		err = r.e.store.Forget(ctx, r.p.Key.Namespace, r.p.work.history.inventory)
		released.Wait()
	}
	if err != nil {
		return err
	}
	r.reportRecorded()
	return nil
}

func (r *recorder) describeFailure(failure error) string {
	return short(r.p.work.redactor.String(describe(r.p, "failed: "+headline(failure))))
}

// correctionOf begins the description of a correction.
const correctionOf = "Correction of drift from "

// describe is what the history shows, in Helm's own phrases.
func describe(p *Plan, outcome string) string {
	switch p.Kind {
	case PlanInstall:
		return "Install " + outcome
	case PlanCorrection:
		return fmt.Sprintf(correctionOf+"%d %s", p.Target, outcome)
	case PlanRollback:
		if outcome == "complete" {
			return fmt.Sprintf("Rollback to %d", p.Target)
		}
		return fmt.Sprintf("Rollback to %d %s", p.Target, outcome)
	case PlanUninstall:
		return "Uninstallation " + outcome
	case PlanRollout:
		return p.Rollout.String() + " " + outcome
	}
	return "Upgrade " + outcome
}
