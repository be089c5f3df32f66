package readiness

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Options of Wait, WaitGone and Diagnose. Only Client must be set.
type Options struct {
	// Client lists, watches and reads. It needs the verbs list and watch on
	// the kinds that are waited for; to fail early and with the cause also on
	// pods, replicasets and events, and get on the objects that a cause refers
	// to. Without the latter permissions the diagnosis has less detail.
	Client dynamic.Interface

	// Logs reads the last lines of a container. Nil: diagnoses have no logs.
	Logs LogReader

	// OnUpdate is called for each change of a target's status or of its pods in
	// trouble. Calls are serial and, per target, in order. A slow callback does
	// not delay the wait: it misses intermediate updates, never the last one.
	// Wait returns after the last call. Nil: no updates.
	OnUpdate func(Update)

	// Rules override the built-in ones, by kind. See also CompileRule.
	Rules map[schema.GroupKind]Rule

	// Limits bound how long trouble may last. Zero: trouble ends no wait.
	Limits Limits
}

func (o Options) check(targets []Target) error {
	if o.Client == nil {
		return errors.New("readiness: Options.Client is nil")
	}
	for _, t := range targets {
		if t.GVR.Resource == "" || t.GVR.Version == "" || t.Name == "" {
			return fmt.Errorf("readiness: target %s %q has no name, version or resource", t.Kind, t.Name)
		}
	}
	return nil
}

// LogReader returns the last lines of a container's log, oldest first;
// previous selects the previous instance of the container. An error leaves the
// lines out of the diagnosis.
type LogReader func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) ([]string, error)

// Update is one change of a target.
type Update struct {
	Target   Target
	Status   Status
	Troubles []Trouble // the worst first; nil when nothing is wrong
}

// Trouble is one problem of a target, which may be temporary.
type Trouble struct {
	Cause           Cause
	Reason, Message string
	// Pod is the pod in trouble; nil: the object itself. It has the last log
	// lines of the first few containers that crash, once they were read.
	Pod *PodDiagnosis
}
