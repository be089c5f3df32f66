package engine

import (
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// String returns the diagnosis in words, as NotReadyError prints it: one line about
// the object, then one for each pod in trouble, event and hint. It has no final
// newline.
func (d Diagnosis) String() string {
	out := readiness.Diagnosis{
		Kind: d.Object.Kind, Group: d.Object.Group, Version: d.Object.Version, Namespace: d.Object.Namespace, Name: d.Object.Name,
		State: readiness.State(d.State), Cause: readiness.Cause(d.Cause), Reason: d.Reason, Message: d.Message,
		Ready: d.Ready, Updated: d.Updated, Desired: d.Desired, Hint: d.Hint,
	}
	for _, p := range d.Pods {
		out.Pods = append(out.Pods, readiness.PodDiagnosis{
			Name: p.Name, Node: p.Node, Phase: p.Phase, Container: p.Container, Init: p.Init, Old: p.Old,
			Cause: readiness.Cause(p.Cause), Reason: p.Reason, Message: p.Message,
			ExitCode: p.ExitCode, Restarts: p.Restarts, Image: p.Image, Logs: p.Logs,
		})
	}
	for _, ev := range d.Events {
		out.Events = append(out.Events, readiness.Event{Object: ev.Object, Reason: ev.Reason, Message: ev.Message, Count: ev.Count, Last: ev.Last})
	}
	return clean.Text(out.String())
}
