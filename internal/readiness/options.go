package readiness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Options of Wait, WaitGone and Diagnose. Only Client must be set.
type Options struct {
	// Client lists, watches and reads. It needs the verbs list and watch on
	// the kinds that are waited for; for early failure with its cause also on
	// pods, replicasets and events, and get on what a cause points to.
	// What is forbidden of the latter is left out of the diagnosis.
	Client dynamic.Interface

	// Logs reads the last lines of a container. Nil: diagnoses have no logs.
	Logs LogReader

	// OnUpdate hears of each change of a target's status or of its pods in
	// trouble. Calls are serial and, per target, in order; a slow receiver
	// holds up nothing but misses steps in between, never the last one.
	// Wait returns after the last call. Nil: nobody listens.
	OnUpdate func(Update)

	// Rules go before the built-in ones, by kind. See also CompileRule.
	Rules map[schema.GroupKind]Rule

	// Policy says what counts as hopeless. Zero: the defaults.
	Policy FailurePolicy
}

func (o Options) check(targets []Target) error {
	if o.Client == nil {
		return errors.New("readiness: Options.Client is nil")
	}
	for _, t := range targets {
		if t.GVR.Resource == "" || t.GVR.Version == "" || t.Name == "" {
			return fmt.Errorf("readiness: target %s %q lacks a name or a resource to look it up by", t.Kind, t.Name)
		}
	}
	return nil
}

// LogReader returns the last lines of a container's log, oldest first;
// previous asks for the instance before the present one. An error leaves the
// lines out of the diagnosis.
type LogReader func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) ([]string, error)

// Update is one change in what is waited for.
type Update struct {
	Target   Target
	Status   Status
	Troubles []Trouble // the worst first; nil when nothing is wrong
}

// Trouble is one thing that is wrong and may pass.
type Trouble struct {
	Cause           Cause
	Reason, Message string
	// Pod that it is about; nil: the object itself. Of the first few containers
	// that crash it has the last log lines, once they were read.
	Pod *PodDiagnosis
}

// FailurePolicy says how long a trouble may last before the wait ends because
// of it. For each duration zero means the default and anything negative
// means for ever. A trouble that goes away in between is forgiven.
type FailurePolicy struct {
	// ImagePull: the registry cannot be reached or answers something that may
	// pass. Default 30 s.
	ImagePull time.Duration
	// ImageRefused: the registry says that there is no such image or that it
	// may not be pulled, or the image name is invalid. Default 3 s.
	ImageRefused time.Duration

	// CrashLoop: a container keeps ending. It counts from when the loop was
	// first seen, or from when anything else in the same wait last moved
	// forward if that is later, since it may be what the container needs.
	// Default 30 s. CrashRestarts must be reached too. Default 3.
	CrashLoop     time.Duration
	CrashRestarts int

	// Config: a ConfigMap, Secret, key or volume that the pod needs is missing.
	// Default 15 s.
	Config time.Duration
	// CreateRefused: pods are not admitted (quota, limit range, admission
	// webhook or policy, missing service account). Default 10 s.
	CreateRefused time.Duration

	// Unschedulable: no node takes the pod. Default 2 min, in which a cluster
	// may grow. Claim: it waits for a volume. Default 1 min.
	Unschedulable time.Duration
	Claim         time.Duration
	// ClaimRefused: the claim or its class does not exist. Default 5 s.
	ClaimRefused time.Duration

	// Unready: containers run and their probes fail. Default: for ever, which
	// leaves it to the Deployment's progress deadline and to ctx.
	Unready time.Duration

	// Gone: the object is absent, being deleted, or replaced by another of
	// its name. Default 5 s.
	Gone time.Duration
	// Stalled: the object itself says that it has failed, and that may still
	// be about an earlier state of it. Default 2 s. A failed Job or Pod and a
	// lost claim are final and not given any time.
	Stalled time.Duration

	// Unknown: how long an object that says nothing about itself is given to
	// say something. After that it holds up nothing more. Default 2 s.
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

// grace is how long a trouble of this cause may last.
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
