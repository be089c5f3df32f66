package readiness

import "time"

// FailurePolicy is how long each kind of trouble may last before the wait ends
// with a failure, because the object will not become ready. For each duration 0
// means the default and a negative value means forever. The time starts again
// if the trouble goes away in between. The fields are named after [Cause].
type FailurePolicy struct {
	// ImagePull: the registry cannot be reached, or returns an error that may be
	// temporary. Default 30 s.
	ImagePull time.Duration
	// ImageRefused: the image does not exist, pulling it is not permitted, or
	// its name is invalid. Default 3 s.
	ImageRefused time.Duration

	// CrashLoop: a container keeps exiting, out of memory or otherwise. The time
	// counts from when the loop was first seen, or from the last progress of any
	// other object in the same wait if that is later, since the container may
	// depend on it. Default 30 s. CrashRestarts must be reached as well; its
	// default is 3.
	CrashLoop     time.Duration
	CrashRestarts int

	// Config: a ConfigMap, Secret, key or volume that the pod needs is missing.
	// Default 15 s.
	Config time.Duration
	// CreateRefused: pods are not admitted because of a quota, a limit range, an
	// admission webhook or policy, or a missing service account. Default 10 s.
	CreateRefused time.Duration

	// Unschedulable: no node fits the pod. Default 2 min, to leave time for
	// autoscaling. Claim: the pod waits for a volume. Default 1 min.
	Unschedulable time.Duration
	Claim         time.Duration
	// ClaimRefused: the claim or its class does not exist. Default 5 s.
	ClaimRefused time.Duration

	// Unready: containers run and their probes fail. Default forever, which
	// leaves it to the Deployment's progress deadline and the timeout.
	Unready time.Duration

	// Gone: the object does not exist, is being deleted, or was replaced by
	// another one of the same name. Default 5 s.
	Gone time.Duration
	// Stalled: the status reports a failure or an exceeded progress deadline,
	// which may still be about an earlier state. Default 2 s. A failed Job or
	// Pod and a lost claim are final and end the wait at once.
	Stalled time.Duration

	// Unknown: an object has no status by which to judge it. Afterwards the wait
	// goes on without it, which is no failure. Default 2 s.
	Unknown time.Duration
}

const never time.Duration = -1

func (p FailurePolicy) withDefaults() FailurePolicy {
	set := func(d *time.Duration, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
	}
	set(&p.ImagePull, 30*time.Second)
	set(&p.ImageRefused, 3*time.Second)
	set(&p.CrashLoop, 30*time.Second)
	set(&p.Config, 15*time.Second)
	set(&p.CreateRefused, 10*time.Second)
	set(&p.Unschedulable, 2*time.Minute)
	set(&p.Claim, time.Minute)
	set(&p.ClaimRefused, 5*time.Second)
	set(&p.Unready, never)
	set(&p.Gone, 5*time.Second)
	set(&p.Stalled, 2*time.Second)
	set(&p.Unknown, 2*time.Second)
	if p.CrashRestarts == 0 {
		p.CrashRestarts = 3
	}
	return p
}

// grace returns how long trouble of this cause may last; negative: forever.
func (p FailurePolicy) grace(c Cause) time.Duration {
	switch c {
	case CauseImagePull:
		return p.ImagePull
	case CauseImageRefused:
		return p.ImageRefused
	case CauseCrashLoop, CauseOutOfMemory:
		return p.CrashLoop
	case CauseConfig:
		return p.Config
	case CauseQuota, CauseLimits, CauseAdmission, CauseServiceAccount:
		return p.CreateRefused
	case CauseUnschedulable:
		return p.Unschedulable
	case CauseClaim:
		return p.Claim
	case CauseClaimRefused:
		return p.ClaimRefused
	case CauseUnready:
		return p.Unready
	case CauseGone:
		return p.Gone
	case CauseDeadline, CauseStalled:
		return p.Stalled
	case CauseFinal:
		return 0
	}
	return never
}
