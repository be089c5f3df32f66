package engine

import "time"

// Patience says how long a trouble may last before a wait ends because of it,
// since waiting longer would not help. For each duration 0 means the default
// and anything negative for ever. A trouble that goes away in between is
// forgiven. The names are those of [Diagnosis].Cause.
type Patience struct {
	// ImagePull: the registry cannot be reached, or answers something that may
	// pass. Default 30 s.
	ImagePull time.Duration
	// ImageRefused: the registry says that there is no such image or that it
	// may not be pulled, or the image's name is invalid. Default 3 s.
	ImageRefused time.Duration

	// CrashLoop: a container keeps ending, out of memory or otherwise. It
	// counts from when the loop was first seen, or from when anything else in
	// the same wait last moved forward if that is later, since it may be what
	// the container needs. Default 30 s. CrashRestarts must be reached too.
	// Default 3.
	CrashLoop     time.Duration
	CrashRestarts int

	// Config: a ConfigMap, Secret, key or volume that the pod needs is missing.
	// Default 15 s.
	Config time.Duration
	// CreateRefused: pods are not admitted (Quota, Limits, Admission,
	// ServiceAccount). Default 10 s.
	CreateRefused time.Duration

	// Unschedulable: no node takes the pod. Default 2 min, in which a cluster
	// may grow. Claim: it waits for a volume. Default 1 min.
	Unschedulable time.Duration
	Claim         time.Duration
	// ClaimRefused: the claim or its class does not exist. Default 5 s.
	ClaimRefused time.Duration

	// Unready: containers run and their probes fail. Default: for ever, which
	// leaves it to the Deployment's progress deadline and to the timeout.
	Unready time.Duration

	// Gone: the object is absent, being deleted, or replaced by another of
	// its name. Default 5 s.
	Gone time.Duration
	// Stalled: the object itself says that it has failed, and that may still
	// be about an earlier state of it (Deadline, Stalled). Default 2 s. A
	// failed Job or Pod and a lost claim are final and not given any time.
	Stalled time.Duration

	// Unknown: how long an object that says nothing about itself is given to
	// say something. After that it holds up nothing more. Default 2 s.
	Unknown time.Duration
}
