package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Waiting reports that an object is not ready yet and that its status has
// changed. A slow OnEvent may miss some of these, but never the last one of an
// object.
type Waiting struct {
	EventMeta
	Object diff.Object `json:"object"`
	// Ready of Desired parts (pods, completions) are ready, and Updated of
	// them are of the new revision; all are 0 for kinds that count nothing.
	Ready   int    `json:"ready"`
	Updated int    `json:"updated"`
	Desired int    `json:"desired"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Troubled are the names of the pods that are in trouble now; the Trouble
	// events have the details. Nil: none, so earlier troubles have passed.
	Troubled []string `json:"troubled,omitempty"`
}

func (e Waiting) String() string {
	s := fmt.Sprintf("Waiting %s: %s", e.Object, e.Message)
	if e.Desired > 0 {
		s = fmt.Sprintf("Waiting %s: %d/%d ready", e.Object, e.Ready, e.Desired)
		if e.Message != "" {
			s += ": " + e.Message
		}
	}
	return clean.Line(s)
}

// Trouble reports that something is wrong with an object that the call waits
// for, or with one of its pods. It may pass; if it lasts longer than
// [FailurePolicy] allows, Unready follows. The same trouble of the same pod is
// reported once, and of many pods with the same trouble only the first few are
// named.
type Trouble struct {
	EventMeta
	Object  diff.Object `json:"object"`
	Cause   Cause       `json:"cause"`
	Reason  string      `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
	// Pod in trouble, without Logs; nil: the object itself.
	Pod *PodDiagnosis `json:"pod,omitempty"`
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
	return clean.Line(s)
}

// LogLine is one of the last lines in the log of a container in trouble.
type LogLine struct {
	EventMeta
	Object    diff.Object `json:"object"`
	Pod       string      `json:"pod"`
	Container string      `json:"container"`
	Line      string      `json:"line"`
}

func (e LogLine) String() string {
	return clean.Line(fmt.Sprintf("Log %s, pod %s, container %s: %s", e.Object, e.Pod, e.Container, e.Line))
}

// Ready reports that an object that the call waits for is ready. If it stops
// being ready while the call still waits for others, Waiting follows, and the
// object has one more Ready or Unready.
type Ready struct {
	EventMeta
	Object diff.Object `json:"object"`
	// State is StateReady, or StateUnknown for an object without a status to
	// judge by, for which the call no longer waits.
	State   State `json:"state"`
	Ready   int   `json:"ready"`
	Desired int   `json:"desired"`
}

func (e Ready) String() string {
	if e.Desired > 0 {
		return fmt.Sprintf("Ready %s: %d/%d", e.Object, e.Ready, e.Desired)
	}
	if e.State == StateUnknown {
		return fmt.Sprintf("Ready %s: has no status to judge by", e.Object)
	}
	return fmt.Sprintf("Ready %s", e.Object)
}

// Unready reports that the wait has ended and the object is not ready.
type Unready struct {
	EventMeta
	Object    diff.Object `json:"object"`
	Diagnosis Diagnosis   `json:"diagnosis"`
}

func (e Unready) String() string {
	s := fmt.Sprintf("Unready %s", e.Object)
	for _, part := range []string{string(e.Diagnosis.Cause), e.Diagnosis.Reason, e.Diagnosis.Message} {
		if part != "" {
			s += ": " + part
		}
	}
	return clean.Line(s)
}

func (Waiting) event() {}
func (Trouble) event() {}
func (LogLine) event() {}
func (Ready) event()   {}
func (Unready) event() {}
