package engine

import (
	"errors"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// NotReadyError is returned when everything was written and some objects did
// not become ready; after an uninstall, when everything was deleted and some
// objects still exist. Its text names the cause, the pods, and what to try.
//
// It unwraps to the context's error if the time was up, and to nothing if the
// wait ended early by [FailurePolicy].
type NotReadyError struct {
	Key      Key
	Revision int
	Objects  []Diagnosis // those with a cause first
	Waited   time.Duration

	text string
	err  error
}

func (e *NotReadyError) Error() string { return clean.Text(e.text) }
func (e *NotReadyError) Unwrap() error { return e.err }

// State is how ready one object is. A [Verdict] must have one of the first
// four; the empty State is none of them.
type State string

const (
	StateReady       State = "Ready"
	StateProgressing State = "Progressing"
	StateFailed      State = "Failed"
	StateUnknown     State = "Unknown" // the object has no status to judge by
	StateMissing     State = "Missing" // the object does not exist
)

// Diagnosis is the state of one object and of its pods. It is plain data and
// holds no Secret value.
type Diagnosis struct {
	Object  diff.Object `json:"object"`
	State   State       `json:"state"`
	Cause   Cause       `json:"cause,omitempty"`   // empty: nothing is known to be wrong
	Reason  string      `json:"reason,omitempty"`  // Kubernetes' word for it
	Message string      `json:"message,omitempty"` // Kubernetes' sentence

	// Counts of pods or completions; 0 for kinds that count nothing.
	Ready   int `json:"ready"`
	Updated int `json:"updated,omitempty"`
	Desired int `json:"desired"`

	Pods   []PodDiagnosis `json:"pods,omitempty"`   // pods in trouble, the worst first
	Events []ClusterEvent `json:"events,omitempty"` // warning events, the latest first
	Hint   string         `json:"hint,omitempty"`   // what to try
}

// PodDiagnosis is one pod in trouble, and the container concerned.
type PodDiagnosis struct {
	Name      string   `json:"name"`
	Node      string   `json:"node,omitempty"`
	Phase     string   `json:"phase,omitempty"`
	Container string   `json:"container,omitempty"` // empty: the pod as a whole
	Init      bool     `json:"init,omitempty"`      // an init container
	Old       bool     `json:"old,omitempty"`       // of a revision that is being replaced
	Cause     Cause    `json:"cause"`
	Reason    string   `json:"reason,omitempty"`
	Message   string   `json:"message,omitempty"`
	ExitCode  int      `json:"exitCode,omitempty"`
	Restarts  int      `json:"restarts,omitempty"`
	Image     string   `json:"image,omitempty"`
	Logs      []string `json:"logs,omitempty"` // the last lines
}

// ClusterEvent is a warning Event that Kubernetes recorded about an object.
type ClusterEvent struct {
	Object  string    `json:"object"` // "Pod web-abc"
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int       `json:"count,omitempty"`
	Last    time.Time `json:"last"`
}

// notReady returns the error of a wait as one of this package. redact hides Secret
// values in a text.
func notReady(k Key, revision int, redact func(string) string, err error) error {
	var not *readiness.NotReady
	var there *readiness.NotGone
	e := &NotReadyError{Key: k, Revision: revision}
	var objects []readiness.Diagnosis
	switch {
	case errors.As(err, &not):
		e.Waited, e.text, e.err, objects = not.Waited, redact(not.Error()), not.Err, not.Objects
	case errors.As(err, &there):
		e.Waited, e.text, e.err, objects = there.Waited, redact(there.Error()), there.Err, there.Objects
	default:
		return explain("wait", k, diff.Object{}, err)
	}
	for _, d := range objects {
		e.Objects = append(e.Objects, diagnosis(d, redact))
	}
	return e
}

func diagnosis(d readiness.Diagnosis, redact func(string) string) Diagnosis {
	out := Diagnosis{
		Object: diff.Object{Group: d.Group, Version: d.Version, Kind: d.Kind, Namespace: d.Namespace, Name: d.Name},
		State:  State(d.State), Cause: Cause(d.Cause), Reason: redact(d.Reason), Message: redact(d.Message),
		Ready: d.Ready, Updated: d.Updated, Desired: d.Desired, Hint: redact(d.Hint),
	}
	for _, p := range d.Pods {
		out.Pods = append(out.Pods, podDiagnosis(p, redact))
	}
	for _, ev := range d.Events {
		out.Events = append(out.Events, ClusterEvent{ev.Object, redact(ev.Reason), redact(ev.Message), ev.Count, ev.Last})
	}
	return out
}

func podDiagnosis(p readiness.PodDiagnosis, redact func(string) string) PodDiagnosis {
	out := PodDiagnosis{
		Name: p.Name, Node: p.Node, Phase: p.Phase, Container: p.Container, Init: p.Init, Old: p.Old,
		Cause: Cause(p.Cause), Reason: redact(p.Reason), Message: redact(p.Message),
		ExitCode: p.ExitCode, Restarts: p.Restarts, Image: redact(p.Image),
	}
	for _, line := range p.Logs {
		out.Logs = append(out.Logs, redact(line))
	}
	return out
}
