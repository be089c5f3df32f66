package engine

import (
	"time"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// defaultCrashRestarts is how many restarts a crash loop needs to end a wait.
const defaultCrashRestarts = 3

// FailurePolicy bounds how long each [Cause] of trouble may last before a wait
// ends, because waiting longer would not help. For each duration, 0 is the
// default and anything negative waits until the timeout. A trouble that goes
// away in between starts again from zero.
type FailurePolicy struct {
	// ImagePull: the registry is unreachable or returned an error that may
	// pass. Default 30 s.
	ImagePull time.Duration
	// ImageRefused: the image does not exist, may not be pulled, or its name is
	// invalid. Default 3 s.
	ImageRefused time.Duration

	// CrashLoop: a container keeps exiting, out of memory or otherwise. It
	// counts from when the loop was first seen, or from the latest progress of
	// anything else in the same wait, which may be what the container needs.
	// Default 30 s. The wait ends only once CrashRestarts is reached too.
	CrashLoop time.Duration
	// CrashRestarts is how many restarts a crash loop needs at least. 0: 3.
	CrashRestarts int

	// Config: a ConfigMap, Secret, key or volume that the pod needs is missing.
	// Default 15 s.
	Config time.Duration
	// CreateRefused: pods are not admitted (Quota, Limits, Admission,
	// ServiceAccount). Default 10 s.
	CreateRefused time.Duration

	// Unschedulable: no node fits the pod. Default 2 min, so that a cluster can
	// add a node.
	Unschedulable time.Duration
	// Claim: the pod waits for a volume. Default 1 min.
	Claim time.Duration
	// ClaimRefused: the claim or its StorageClass does not exist. Default 5 s.
	ClaimRefused time.Duration

	// Unready: the containers run and their probes fail. Default: until the
	// Deployment's progress deadline or the timeout.
	Unready time.Duration

	// Gone: the object does not exist, is being deleted, was replaced by
	// another one of its name, or another client has changed what was deployed.
	// Default 5 s.
	Gone time.Duration
	// Stalled: the object's own status says that it has failed, which may still
	// be about an earlier state of it (Deadline, Stalled). Default 2 s. A
	// failed Job or Pod and a lost claim are final: they end the wait at once.
	Stalled time.Duration

	// Unknown: how long to wait for an object without a status to get one.
	// After that the object counts as ready, with StateUnknown. Default 2 s.
	Unknown time.Duration
}

// limits returns the limits of a wait by this policy, with the defaults for
// what is not set. Causes without a field end no wait.
func (p FailurePolicy) limits() readiness.Limits {
	set := func(d, byDefault time.Duration) time.Duration {
		if d == 0 {
			return byDefault
		}
		return d
	}
	const forever time.Duration = -1
	crashLoop, createRefused, stalled := set(p.CrashLoop, 30*time.Second), set(p.CreateRefused, 10*time.Second), set(p.Stalled, 2*time.Second)
	out := readiness.Limits{
		Unknown: set(p.Unknown, 2*time.Second), CrashRestarts: p.CrashRestarts,
		Grace: map[readiness.Cause]time.Duration{
			readiness.CauseImagePull:      set(p.ImagePull, 30*time.Second),
			readiness.CauseImageRefused:   set(p.ImageRefused, 3*time.Second),
			readiness.CauseCrashLoop:      crashLoop,
			readiness.CauseOutOfMemory:    crashLoop,
			readiness.CauseConfig:         set(p.Config, 15*time.Second),
			readiness.CauseQuota:          createRefused,
			readiness.CauseLimits:         createRefused,
			readiness.CauseAdmission:      createRefused,
			readiness.CauseServiceAccount: createRefused,
			readiness.CauseUnschedulable:  set(p.Unschedulable, 2*time.Minute),
			readiness.CauseClaim:          set(p.Claim, time.Minute),
			readiness.CauseClaimRefused:   set(p.ClaimRefused, 5*time.Second),
			readiness.CauseUnready:        set(p.Unready, forever),
			readiness.CauseGone:           set(p.Gone, 5*time.Second),
			readiness.CauseDeadline:       stalled,
			readiness.CauseStalled:        stalled,
			readiness.CauseFinal:          0,
		},
	}
	if out.CrashRestarts == 0 {
		out.CrashRestarts = defaultCrashRestarts
	}
	return out
}
