package engine

import (
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

// Phase is where a release is, in one word.
type Phase string

const (
	// PhaseProgressing: the revision is recorded, and what it wants is not all
	// written, or not all ready, yet. Progress.Waiting says for what it waits.
	PhaseProgressing Phase = "Progressing"
	// PhaseDeployed: everything is as wanted, and the newest revision was healthy
	// once. What is not ready now is in Progress.Waiting.
	PhaseDeployed Phase = "Deployed"
	// PhaseBlocked: the plan has problems, or permissions are missing, so that
	// nothing is written. Progress.Err is the *ProblemsError.
	PhaseBlocked Phase = "Blocked"
	// PhaseBusy: another operation works on the release. Progress.Err wraps ErrBusy.
	PhaseBusy Phase = "Busy"
	// PhaseFailed: the revision has failed, and is tried again after
	// ReconcileOptions.RetryAfter, or when the release changes.
	PhaseFailed Phase = "Failed"
	// PhaseReverting: a deploy has failed, and OnFailure takes it back.
	PhaseReverting Phase = "Reverting"
	// PhaseReverted: it has been taken back, and is not tried again before the
	// release changes. Progress.Err is a *RevertError.
	PhaseReverted Phase = "Reverted"
	// PhaseUninstalling: not everything is gone yet.
	PhaseUninstalling Phase = "Uninstalling"
	// PhaseUninstalled: the release is gone.
	PhaseUninstalled Phase = "Uninstalled"
)

// Progress is where a release is after one pass.
type Progress struct {
	Key   Key
	Phase Phase
	// Revision is the newest one that is recorded; nil: none.
	Revision *Revision
	// Plan is what the pass has planned, as Plan returns it; nil if it could not.
	// Of a pass that Options.Cache has spared it is as one that was read from JSON.
	Plan *Plan
	// Changed: the pass has recorded a revision, or written or deleted an object.
	Changed bool
	// Waiting are the objects that are not ready, or not gone, with the cause.
	Waiting []Diagnosis
	// Err is why the release is Blocked, Busy, Failed or Reverted; nil otherwise.
	Err error
	// After is when the next pass may find anything else, if no watch shows it before.
	// 0: only when an object of the release, or the release, has changed.
	After time.Duration
}

// Between passes.
const (
	immediately  = time.Millisecond
	shortest     = time.Second
	longest      = 15 * time.Second
	blockedAfter = 30 * time.Second
)

// DefaultRetryAfter is how long after its failure a release is tried again.
const DefaultRetryAfter = time.Minute

// ReconcileOptions are the settings of one pass. They may differ from pass to
// pass. What is not described here is as in ApplyOptions.
type ReconcileOptions struct {
	// Timeout bounds each wait, and each hook, from the pass that found it begun.
	Timeout       time.Duration
	HooksTimeout  time.Duration
	FailurePolicy FailurePolicy
	Foreground    bool
	NoHooks       bool
	History       int
	// KeepHistory is for ReconcileUninstall only.
	KeepHistory  bool
	UnsafeDelete []diff.Object
	// OnFailure is for Reconcile only. After a revision that has failed, the next
	// passes go back, in the same way as they deploy; an uninstall keeps the history.
	OnFailure OnFailure
	// RetryAfter is how long after its failure a release that has not changed is
	// tried again; earlier if all of its objects have become ready. 0:
	// DefaultRetryAfter. Negative: only when it changes.
	RetryAfter   time.Duration
	Force, Adopt bool
	Cause        string
	Labels       map[string]string
}

func (o ReconcileOptions) retryAfter() time.Duration {
	if o.RetryAfter == 0 {
		return DefaultRetryAfter
	}
	return o.RetryAfter
}

// apply are the options by which a pass applies its plan.
func (o ReconcileOptions) apply() ApplyOptions {
	return ApplyOptions{
		Timeout: o.Timeout, HooksTimeout: o.HooksTimeout, FailurePolicy: o.FailurePolicy, Foreground: o.Foreground,
		NoHooks: o.NoHooks, History: o.History, KeepHistory: o.KeepHistory, UnsafeDelete: o.UnsafeDelete,
		OnFailure: o.OnFailure, Force: o.Force, Adopt: o.Adopt, Cause: o.Cause, Labels: o.Labels,
	}
}
