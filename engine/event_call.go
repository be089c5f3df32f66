package engine

import (
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Started is the first event of a call that writes.
type Started struct {
	EventMeta
	Operation Operation `json:"operation"`
}

func (e Started) String() string { return clean.Line(fmt.Sprintf("%s %s", e.Operation, e.Key)) }

// Ended is the last event of a call. Err is the error that the call returns,
// and Revision the number of the revision that it returns, 0 for none.
type Ended struct {
	EventMeta
	Operation Operation     `json:"operation"`
	Revision  int           `json:"revision,omitempty"`
	Took      time.Duration `json:"took"` // in nanoseconds
	Err       error         `json:"-"`
}

func (e Ended) String() string {
	return clean.Line(fmt.Sprintf("%s %s ended after %v%s", e.Operation, e.Key, e.Took.Round(time.Millisecond), suffix(e.Err)))
}

// Planned reports that the plan is computed.
type Planned struct {
	EventMeta
	Summary string `json:"summary"`
	Changes int    `json:"changes"` // number of objects that change
	// Applied: the call goes on to apply the plan. False: it only makes it.
	Applied bool `json:"applied,omitempty"`
}

func (e Planned) String() string { return "plan: " + clean.Line(e.Summary) }

// LockWaited reports that the call waits because another operation on the
// release is in progress, or was until its process died.
type LockWaited struct {
	EventMeta
	Holder string `json:"holder"` // identity in the revision
}

func (e LockWaited) String() string { return "waiting for " + clean.Line(e.Holder) }

// Reverting reports that the deploy failed and that, as
// ApplyOptions.OnFailure demands, the release is rolled back to an earlier
// revision or uninstalled. Another Planned follows, with the events of that.
type Reverting struct {
	EventMeta
	Failed int `json:"failed"`           // the revision that failed
	Target int `json:"target,omitempty"` // the revision to roll back to; 0: uninstall
}

func (e Reverting) String() string {
	if e.Target == 0 {
		return fmt.Sprintf("revision %d failed: uninstalling", e.Failed)
	}
	return fmt.Sprintf("revision %d failed: rolling back to %d", e.Failed, e.Target)
}

// Recorded reports that a revision was stored, or that its status changed.
type Recorded struct {
	EventMeta
	Revision int            `json:"revision"`
	Status   RevisionStatus `json:"status"`
}

func (e Recorded) String() string {
	return clean.Line(fmt.Sprintf("revision %d is %s", e.Revision, e.Status))
}

// Warning reports a warning of the API server, or that an optional step could
// not be done. The call goes on.
type Warning struct {
	EventMeta
	Message string `json:"message"`
}

func (e Warning) String() string { return "Warning: " + clean.Line(e.Message) }

func (Started) event()    {}
func (Ended) event()      {}
func (Planned) event()    {}
func (LockWaited) event() {}
func (Reverting) event()  {}
func (Recorded) event()   {}
func (Warning) event()    {}
