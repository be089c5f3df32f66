package engine

import (
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Applied reports that the object was written as planned, or deleted. It is
// sent for unchanged objects too, which are not written.
type Applied struct {
	EventMeta
	Object diff.Object   `json:"object"`
	Action diff.Action   `json:"action"`
	Took   time.Duration `json:"took"` // in nanoseconds
}

func (e Applied) String() string { return clean.Line(fmt.Sprintf("%s %s", e.Action, e.Object)) }

// Kept reports that the object is no longer part of the release and stays in
// the cluster.
type Kept struct {
	EventMeta
	Object diff.Object `json:"object"`
	Reason string      `json:"reason"`
}

func (e Kept) String() string { return clean.Line(fmt.Sprintf("Kept %s: %s", e.Object, e.Reason)) }

// Failed reports that the object could not be written.
type Failed struct {
	EventMeta
	Object diff.Object `json:"object"`
	Err    error       `json:"-"`
}

func (e Failed) String() string {
	return fmt.Sprintf("Failed %s%s", e.Object, suffix(e.Err))
}

// Skipped reports that the object was not written because something before it
// failed.
type Skipped struct {
	EventMeta
	Object diff.Object `json:"object"`
	Reason string      `json:"reason"`
}

func (e Skipped) String() string {
	return clean.Line(fmt.Sprintf("Skipped %s: %s", e.Object, e.Reason))
}

// HookStarted reports that a hook was created.
type HookStarted struct {
	EventMeta
	Object diff.Object `json:"object"`
	Event  string      `json:"event"` // pre-install, post-upgrade, …, test
}

func (e HookStarted) String() string { return clean.Line(fmt.Sprintf("Hook %s %s", e.Event, e.Object)) }

// HookEnded reports that a hook succeeded, or failed with Err.
type HookEnded struct {
	EventMeta
	Object diff.Object   `json:"object"`
	Event  string        `json:"event"`
	Took   time.Duration `json:"took"` // in nanoseconds
	Err    error         `json:"-"`
}

func (e HookEnded) String() string {
	if e.Err != nil {
		return clean.Line(fmt.Sprintf("Hook %s %s failed%s", e.Event, e.Object, suffix(e.Err)))
	}
	return clean.Line(fmt.Sprintf("Hook %s %s succeeded", e.Event, e.Object))
}

// suffix is ": " and the first sentence of an error; empty without an error.
func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ": " + short(headline(err))
}

func (Applied) event()     {}
func (Kept) event()        {}
func (Failed) event()      {}
func (Skipped) event()     {}
func (HookStarted) event() {}
func (HookEnded) event()   {}
