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
// For each object that a plan names there is exactly one terminal event:
// Applied, Kept, Failed or Skipped.
type Event interface {
	fmt.Stringer
	// Release that the event is about.
	Release() Key
	event()
}

type of struct{ Key Key }

func (o of) Release() Key { return o.Key }
func (of) event()         {}

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
	return fmt.Sprintf("Failed %s: %s", e.Object, oneLine(e.Err.Error()))
}

// Skipped: the object was not tried, because something before it failed.
type Skipped struct {
	of
	Object diff.Object
	Reason string
}

func (e Skipped) String() string { return fmt.Sprintf("Skipped %s: %s", e.Object, e.Reason) }

// Waiting: an object is not ready yet, and what it says has changed.
type Waiting struct {
	of
	Object diff.Object
	// Ready of Desired parts (pods, completions) are ready, and Updated of
	// them are of the new revision; all are 0 for kinds that count nothing.
	Ready, Updated, Desired int
	Reason, Message         string
	// Trouble is what the worst of its pods says; empty while nothing is wrong.
	Trouble string
}

func (e Waiting) String() string {
	s := fmt.Sprintf("Waiting %s: %s", e.Object, e.Message)
	if e.Desired > 0 {
		s = fmt.Sprintf("Waiting %s: %d/%d ready, %d/%d updated", e.Object, e.Ready, e.Desired, e.Updated, e.Desired)
	}
	if e.Trouble != "" {
		s += ": " + e.Trouble
	}
	return oneLine(s)
}

// Ready: an object that was waited for is what it shall be.
type Ready struct {
	of
	Object         diff.Object
	Ready, Desired int
}

func (e Ready) String() string {
	if e.Desired > 0 {
		return fmt.Sprintf("Ready %s: %d/%d", e.Object, e.Ready, e.Desired)
	}
	return fmt.Sprintf("Ready %s", e.Object)
}

// HookStarted: a hook was created.
type HookStarted struct {
	of
	Object diff.Object
	Event  string // pre-install, post-upgrade, …
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
		return fmt.Sprintf("Hook %s %s failed: %s", e.Event, e.Object, oneLine(e.Err.Error()))
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
