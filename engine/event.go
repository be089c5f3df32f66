package engine

import (
	"fmt"
	"time"
)

// Event is one fact about the progress of a call. Every event names its
// release and prints as one line, in which nothing controls a terminal or a CI
// system; its fields are as the cluster gave them. No event holds a Secret
// value.
//
// The set of events is closed: a type switch over the types of this package
// covers it. All their fields are exported, so tests of a receiver can build
// events by hand; [MarshalEvent] and [UnmarshalEvent] carry them between
// processes.
//
// A call that writes begins with Started and finishes with Ended. In between,
// the events of one object come in this order, each step once unless stated
// otherwise:
//
//   - the outcome of writing it: exactly one of Applied, Kept, Failed and
//     Skipped for each object that the plan names, after Planned;
//   - if the call waits for it and it is not ready at once: Waiting, Trouble
//     and LogLine, any number of times, then exactly one of Ready and Unready.
//
// A hook has HookStarted and HookEnded in place of these, with Waiting,
// Trouble and LogLine between the two.
type Event interface {
	fmt.Stringer
	// Release returns the release that the event is about.
	Release() Key
	// Time returns when it happened, which may be a little before OnEvent is
	// called with it.
	Time() time.Time
	meta() EventMeta
	event()
}

// EventMeta is embedded in every event. Its fields are named Key and At
// because Release and Time are the methods by which any Event gives them, and
// Go allows no field and method of one name.
type EventMeta struct {
	Key Key       `json:"release"`
	At  time.Time `json:"time"`
	// Call is the same for all events of one call, and differs between calls, of
	// all processes; the events of several that run at once can be distinguished by it.
	Call string `json:"call,omitempty"`
}

func (m EventMeta) meta() EventMeta { return m }

// about is the EventMeta of something that happens now.
func about(k Key) EventMeta { return EventMeta{Key: k, At: time.Now()} }

// Release returns m.Key.
func (m EventMeta) Release() Key { return m.Key }

// Time returns m.At.
func (m EventMeta) Time() time.Time { return m.At }

// Operation is what a call does. No call has the empty Operation.
type Operation string

const (
	OperationDeploy    Operation = "deploy"
	OperationReconcile Operation = "reconcile"
	OperationApply     Operation = "apply"
	OperationRollback  Operation = "rollback"
	OperationRollout   Operation = "rollout"
	OperationUninstall Operation = "uninstall"
	OperationTest      Operation = "test"
)
