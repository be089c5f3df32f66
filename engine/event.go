package engine

import (
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

// Event is one fact of a call's progress. The set of events is closed; a type
// switch tells them apart. Every event names its release, and prints as one
// line without a line break. Secret values are never in an event.
//
// A call that writes begins with Started and finishes with Ended. In between,
// the events of one object come in this order, each step once unless it says
// otherwise:
//
//   - what became of writing it: exactly one of Applied, Kept, Failed and
//     Skipped, for each object that the plan names, once that is Planned;
//   - if it was waited for and not ready at once: Waiting, Trouble and LogLine,
//     any number of times, then exactly one of Ready and Unready.
//
// A hook has HookStarted and HookEnded in place of these, with Waiting,
// Trouble and LogLine between the two.
type Event interface {
	fmt.Stringer
	// Release that the event is about.
	Release() Key
	// Time of the fact, which may be a little before OnEvent is told of it.
	Time() time.Time
	event()
}

// of is what all events have. Its fields are promoted: every event has Key and
// At.
type of struct {
	Key Key
	At  time.Time
}

func about(k Key) of { return of{k, time.Now()} }

func (o of) Release() Key    { return o.Key }
func (o of) Time() time.Time { return o.At }
func (of) event()            {}

// Operation is what a call does.
type Operation string

const (
	OperationDeploy    Operation = "deploy"
	OperationApply     Operation = "apply"
	OperationRollback  Operation = "rollback"
	OperationUninstall Operation = "uninstall"
	OperationTest      Operation = "test"
)

// Started: a call that writes has begun.
type Started struct {
	of
	Operation Operation
}

func (e Started) String() string { return fmt.Sprintf("%s %s", e.Operation, e.Key) }

// Ended: the call is over, and all other events of it came before. Err is what
// it returns, Revision the number of what it returns, 0 for none.
type Ended struct {
	of
	Operation Operation
	Revision  int
	Took      time.Duration
	Err       error
}

func (e Ended) String() string {
	s := fmt.Sprintf("%s %s ended after %v", e.Operation, e.Key, e.Took.Round(time.Millisecond))
	if e.Err != nil {
		s += ": " + short(headline(e.Err))
	}
	return s
}

// Planned: the plan is made, and this is what it says.
type Planned struct {
	of
	Summary string
	Changes int // objects that change
}

func (e Planned) String() string { return "plan: " + e.Summary }

// LockWaited: another deployer is at work on the release, or was until it
// died; the call waits for it.
type LockWaited struct {
	of
	Holder string
}

func (e LockWaited) String() string { return "waiting for " + oneLine(e.Holder) }

// Reverting: the deploy has failed, and by ApplyOptions.OnFailure the release
// goes back to an earlier revision, or is uninstalled. Another Planned
// follows, with the events of what that does.
type Reverting struct {
	of
	Failed int // the revision that failed
	Target int // the revision to go back to; 0: uninstalling
}

func (e Reverting) String() string {
	if e.Target == 0 {
		return fmt.Sprintf("revision %d failed: uninstalling", e.Failed)
	}
	return fmt.Sprintf("revision %d failed: rolling back to %d", e.Failed, e.Target)
}

// Recorded: a revision was stored, or its status changed.
type Recorded struct {
	of
	Revision int
	Status   RevisionStatus
}

func (e Recorded) String() string { return fmt.Sprintf("revision %d is %s", e.Revision, e.Status) }

// Applied: the object was written as planned, or deleted. Unchanged objects
// are told of too, without a write.
type Applied struct {
	of
	Object diff.Object
	Action diff.Action
	Took   time.Duration
}

func (e Applied) String() string { return fmt.Sprintf("%s %s", e.Action, e.Object) }

// Kept: the object is no longer wanted, and stays in the cluster.
type Kept struct {
	of
	Object diff.Object
	Reason string
}

func (e Kept) String() string { return fmt.Sprintf("Kept %s: %s", e.Object, e.Reason) }

// Failed: the object could not be written.
type Failed struct {
	of
	Object diff.Object
	Err    error
}

func (e Failed) String() string {
	return fmt.Sprintf("Failed %s: %s", e.Object, short(headline(e.Err)))
}

// Skipped: the object was not tried, because something before it failed.
type Skipped struct {
	of
	Object diff.Object
	Reason string
}

func (e Skipped) String() string { return fmt.Sprintf("Skipped %s: %s", e.Object, e.Reason) }

// Waiting: an object is not ready yet, and what it says has changed. A slow
// OnEvent may miss some of these, never the last one of an object.
type Waiting struct {
	of
	Object diff.Object
	// Ready of Desired parts (pods, completions) are ready, and Updated of
	// them are of the new revision; all are 0 for kinds that count nothing.
	Ready, Updated, Desired int
	Reason, Message         string
	// Troubled are the names of the pods that are in trouble now; Trouble tells
	// what it is. Nil: none, so that what was told before has passed.
	Troubled []string
}

func (e Waiting) String() string {
	s := fmt.Sprintf("Waiting %s: %s", e.Object, e.Message)
	if e.Desired > 0 {
		s = fmt.Sprintf("Waiting %s: %d/%d ready", e.Object, e.Ready, e.Desired)
		if e.Message != "" {
			s += ": " + e.Message
		}
	}
	return oneLine(s)
}

// Trouble: something is wrong with an object that is waited for, or with one
// of its pods. It may pass; once it has lasted too long by [Patience], Unready
// follows. The same trouble of the same pod is told once, and of many pods in
// the same trouble only the first few are named.
type Trouble struct {
	of
	Object          diff.Object
	Cause           string // one of those of Diagnosis.Cause
	Reason, Message string
	// Pod that it is about; nil: the object itself. Without Logs.
	Pod *PodDiagnosis
}

func (e Trouble) String() string {
	s := fmt.Sprintf("Trouble %s: ", e.Object)
	if e.Pod != nil {
		s += "pod " + e.Pod.Name
		if e.Pod.Container != "" {
			s += ", container " + e.Pod.Container
		}
		s += ": "
	}
	s += e.Reason
	if e.Message != "" {
		s += ": " + e.Message
	}
	return oneLine(s)
}

// LogLine: one of the last lines that a container in trouble has printed.
type LogLine struct {
	of
	Object         diff.Object
	Pod, Container string
	Line           string
}

func (e LogLine) String() string {
	return oneLine(fmt.Sprintf("Log %s, pod %s, container %s: %s", e.Object, e.Pod, e.Container, e.Line))
}

// Ready: an object that was waited for is what it shall be. Should it stop
// being so while others are still waited for, Waiting follows, and the object
// has one more Ready or Unready.
type Ready struct {
	of
	Object diff.Object
	// State is StateReady, or StateUnknown for an object that says nothing by
	// which it could be judged and holds up the wait no more.
	State          State
	Ready, Desired int
}

func (e Ready) String() string {
	if e.Desired > 0 {
		return fmt.Sprintf("Ready %s: %d/%d", e.Object, e.Ready, e.Desired)
	}
	if e.State == StateUnknown {
		return fmt.Sprintf("Ready %s, as far as can be told", e.Object)
	}
	return fmt.Sprintf("Ready %s", e.Object)
}

// Unready: the wait has ended, and the object is not ready.
type Unready struct {
	of
	Object    diff.Object
	Diagnosis Diagnosis
}

func (e Unready) String() string {
	s := fmt.Sprintf("Unready %s", e.Object)
	for _, part := range []string{e.Diagnosis.Cause, e.Diagnosis.Reason, e.Diagnosis.Message} {
		if part != "" {
			s += ": " + part
		}
	}
	return oneLine(s)
}

// HookStarted: a hook was created.
type HookStarted struct {
	of
	Object diff.Object
	Event  string // pre-install, post-upgrade, …, test
}

func (e HookStarted) String() string { return fmt.Sprintf("Hook %s %s", e.Event, e.Object) }

// HookEnded: a hook has succeeded, or failed with Err.
type HookEnded struct {
	of
	Object diff.Object
	Event  string
	Took   time.Duration
	Err    error
}

func (e HookEnded) String() string {
	if e.Err != nil {
		return fmt.Sprintf("Hook %s %s failed: %s", e.Event, e.Object, short(headline(e.Err)))
	}
	return fmt.Sprintf("Hook %s %s succeeded", e.Event, e.Object)
}

// Warning: the API server warned, or something that was wished for could not
// be done and is not needed for the result.
type Warning struct {
	of
	Message string
}

func (e Warning) String() string { return "Warning: " + oneLine(e.Message) }

func oneLine(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r == '\n' || r == '\r' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
