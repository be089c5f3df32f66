package engine

import (
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

// DefaultTimeout bounds the wait for readiness, and each hook.
const DefaultTimeout = 5 * time.Minute

// DefaultHistory is the number of revisions kept, which is Helm's.
const DefaultHistory = 10

// ApplyOptions are the settings of applying a plan. The zero value waits until
// all objects are ready. A field that a call cannot honour is an error if it
// asks for something to be done; a field that only bounds something may be set
// for every call.
type ApplyOptions struct {
	// NoWait returns as soon as everything is written. The revision is recorded
	// as deployed without knowing whether it works.
	NoWait bool
	// Timeout bounds the wait for readiness, and each hook. 0: DefaultTimeout.
	// Negative: an error.
	Timeout time.Duration
	// HooksTimeout bounds all hooks of the call together, however many a chart
	// has. 0: three times the timeout of one. Negative: an error.
	HooksTimeout time.Duration
	// FailurePolicy bounds how long each cause of trouble may last before the
	// wait ends, ahead of the timeout. Zero: the defaults.
	FailurePolicy FailurePolicy
	// Foreground deletes with foreground propagation: each object stays until
	// all objects that it owns are deleted, such as a Deployment until its pods
	// are. False: background propagation.
	Foreground bool
	// NoHooks skips the chart's hooks. A Rollout runs none in any case.
	NoHooks bool
	// History is the number of revisions to keep; the deployed one is never
	// deleted. 0: DefaultHistory. Negative: all. An uninstall goes by
	// KeepHistory instead.
	History int
	// KeepHistory keeps the revisions of an uninstalled release, the last one
	// with the status uninstalled. Calls other than Uninstall and Apply refuse
	// it.
	KeepHistory bool
	// UnsafeDelete lists CustomResourceDefinitions, Namespaces,
	// PersistentVolumeClaims and PersistentVolumes that may be deleted although
	// others lose objects or data with them, as in PlanOptions. A plan that was
	// not stored carries its own list along. Nil: each of them is a problem.
	UnsafeDelete []diff.Object
	// LockTimeout is how long to wait for another operation on the release. 0:
	// only until it is known to be in progress, which takes at most
	// LeaseDuration; the call then fails with ErrBusy. Negative: an error.
	LockTimeout time.Duration
	// Supersede takes the release over from an operation that has written
	// everything and only waits for readiness; that call ends with
	// ErrSuperseded, within a third of LeaseDuration.
	Supersede bool
	// OnFailure decides what happens if a deploy, or applying the plan of one,
	// fails after its revision was recorded. Reverting may take up to three
	// times Timeout, even if the caller's context ends meanwhile; the error is then
	// a *RevertError. Empty: LeaveFailed. Calls other than Deploy and Apply
	// refuse it, and Apply ignores it for other plans.
	OnFailure OnFailure
	// OnCancel decides what becomes of the revision if the caller's context ends
	// before its outcome is known. Empty: LeavePending.
	OnCancel OnCancel
	// Force and Adopt are as in Release, for the calls that have none: Rollback,
	// and Apply of a plan that was made with them in PlanOptions. Of a deploy
	// they add to its Release. A deploy with Force goes back with Force, too.
	Force, Adopt bool
	// Cause says why, and Labels who and what, for people and for List: a ticket,
	// who approved it, a commit. The revision that the call records has Cause in
	// place of that of the plan or the Release, and Labels over those of the
	// release; "null" removes one. They are no part of what is planned: a plan
	// does not become stale by them, and a call that changes nothing records none
	// of them. Workloads have the cause of Deploy and Rollback too, and that of a
	// plan which is applied as it was planned. As with Helm, labels stay on the
	// revisions that follow.
	Cause  string
	Labels map[string]string
	// Release is needed to apply a plan of a deploy that was read from JSON: it
	// is rendered again and must render what the plan was computed from. A plan
	// of another release, or of another kind than PlanInstall and PlanUpgrade,
	// is refused. Calls other than Apply refuse it.
	Release *Release
	// Key is the release that a plan is expected to be for. Without Release it
	// is needed for every plan that was read from JSON: a plan that someone has
	// handed in must not decide what it is applied to. Calls other than Apply
	// refuse it.
	Key Key
	// Kinds are the kinds of plans that are expected; a plan of another kind is
	// refused. Nil: with Release PlanInstall and PlanUpgrade, with Key
	// PlanRollback, PlanCorrection and PlanRollout for a plan that was read from
	// JSON. One that uninstalls has to be asked for: Kinds: {PlanUninstall}.
	// Calls other than Apply refuse it.
	Kinds []PlanKind
}

func (o ApplyOptions) asking(p purpose) asking {
	return asking{purpose: p, force: o.Force, adopt: o.Adopt, unsafeDelete: o.UnsafeDelete}
}

func (o ApplyOptions) timeout() time.Duration {
	if o.Timeout <= 0 {
		return DefaultTimeout
	}
	return o.Timeout
}

// hooksTimeout is how long all hooks of the call may take together.
func (o ApplyOptions) hooksTimeout() time.Duration {
	if o.HooksTimeout <= 0 {
		return 3 * o.timeout()
	}
	return o.HooksTimeout
}

// history is the number of revisions to keep; negative: all.
func (o ApplyOptions) history() int {
	if o.History == 0 {
		return DefaultHistory
	}
	return o.History
}

// OnCancel decides what a context that ends means for a call that has recorded its
// revision.
type OnCancel string

const (
	// LeavePending leaves the revision pending, with what is needed to go on from
	// there: the next call for the same release does, of any process. Nothing has
	// failed, so that nothing is rolled back. The default.
	LeavePending OnCancel = ""
	// CancelFails records the revision as failed. OnFailure does not apply.
	CancelFails OnCancel = "CancelFails"
	// CancelIsFailure is a failure like any other, to which OnFailure applies.
	CancelIsFailure OnCancel = "CancelIsFailure"
)

// OnFailure decides what is done about a deploy that has failed.
type OnFailure string

const (
	// LeaveFailed leaves everything as it is; the next deploy continues from
	// there. The default.
	LeaveFailed OnFailure = ""
	// RollBack goes back to the newest earlier revision that was healthy. If
	// there is none, as after a first install, everything is left as it is.
	RollBack OnFailure = "RollBack"
	// RollBackOrUninstall is RollBack, and uninstalls if there is no revision
	// to go back to. As with every uninstall, the claims of StatefulSets and
	// objects with helm.sh/resource-policy: keep stay.
	RollBackOrUninstall OnFailure = "RollBackOrUninstall"
)
