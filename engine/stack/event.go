package stack

import (
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// MemberState is where a member is in a call.
type MemberState string

const (
	MemberPending   MemberState = "Pending" // it waits for what it needs
	MemberStarted   MemberState = "Started"
	MemberDone      MemberState = "Done" // applied and ready, or uninstalled
	MemberFailed    MemberState = "Failed"
	MemberSkipped   MemberState = "Skipped"
	MemberReverting MemberState = "Reverting" // OnFailure takes it back
	MemberReverted  MemberState = "Reverted"
)

// Event is one fact about the progress of a call on a stack: an event of the
// engine about the release of a member, or a new state of a member. A call begins
// with a MemberPending for each member, in order, and then for each release that it
// prunes, which goes by the name "namespace/name".
type Event struct {
	Stack  string
	Member string
	At     time.Time
	// State is the new state of the member; empty: Engine says what happened.
	State MemberState
	// Err is why a member has failed or is skipped.
	Err error
	// Engine is an event of the engine; nil: State has changed.
	Engine engine.Event
}

// String returns one line.
func (e Event) String() string {
	text := string(e.State)
	if e.Engine != nil {
		text = e.Engine.String()
	}
	if e.Err != nil {
		text += ": " + engine.Headline(e.Err)
	}
	return clean.Line(fmt.Sprintf("%s: %s", e.Member, text))
}
