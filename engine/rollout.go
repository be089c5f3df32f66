package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Verb is what is done to a workload, in the words of kubectl rollout.
type Verb string

const (
	// Pause keeps changes of a Deployment from reaching its pods; Resume ends
	// that.
	Pause  Verb = "pause"
	Resume Verb = "resume"
	// Restart recreates the pods, by the workload's own strategy.
	Restart Verb = "restart"
	// Undo goes back to the pod template of an earlier revision of the
	// workload.
	Undo Verb = "undo"
	// Scale sets the number of replicas.
	Scale Verb = "scale"
)

// Rollout is one verb on one workload of a release: a Deployment, StatefulSet
// or DaemonSet. Only a Deployment can be paused and resumed, and a DaemonSet
// not scaled.
type Rollout struct {
	Verb Verb `json:"verb"`
	// Workload is "Deployment/web", in either case; also "deploy", "sts" and
	// "ds", as kubectl has it. Empty: the only one that the release has.
	Workload string `json:"workload,omitempty"`
	// Replicas to scale to.
	Replicas int `json:"replicas,omitempty"`
	// Revision to go back to, as kubectl rollout history counts them for the
	// workload. 0: the one before the current one.
	Revision int64 `json:"revision,omitempty"`
	// Cause says why, for people; as Release.Cause.
	Cause string `json:"cause,omitempty"`
	// At is when a restart was asked for. Zero: when it is planned.
	At time.Time `json:"at,omitzero"`
}

// String is "Scale Deployment/web to 5".
func (r Rollout) String() string {
	verb := string(r.Verb)
	if verb != "" {
		verb = strings.ToUpper(verb[:1]) + verb[1:]
	}
	s := verb + " " + r.Workload
	switch {
	case r.Verb == Scale:
		s += fmt.Sprintf(" to %d", r.Replicas)
	case r.Verb == Undo && r.Revision != 0:
		s += fmt.Sprintf(" to revision %d", r.Revision)
	}
	return clean.Line(s)
}

// Rollout pauses, resumes, restarts, undoes or scales a workload of a release,
// and waits until it is ready. It becomes a revision of its own, with its
// cause, whose manifest has the change; no hooks run, and other objects are
// not touched. The workload is applied as it was recorded last, with the change:
// other drift in it is undone, and the plan shows that.
//
// What was set is kept by the deploys that follow, as long as the chart renders
// for that field what it did then; each of their plans says so. When the chart
// changes the field, the chart's value is applied. Rollback to an earlier
// revision undoes it, and so does the opposite verb.
//
// If the newest revision has failed, the new one is recorded as failed too: the
// release as a whole is no healthier than before.
func (e *Engine) Rollout(ctx context.Context, k Key, r Rollout, opts ApplyOptions) (*Revision, error) {
	e = e.forCall()
	defer e.events.drain()
	return e.carryOut(ctx, k, OperationRollout, opts, func(ctx context.Context) (*Plan, error) {
		return e.planRollout(ctx, k, r, opts.asking(forApply))
	})
}

// PlanRollout computes what Rollout would do.
func (e *Engine) PlanRollout(ctx context.Context, k Key, r Rollout, opts PlanOptions) (*Plan, error) {
	e = e.forCall()
	defer e.events.drain()
	if err := opts.validate(k); err != nil {
		return nil, err
	}
	ctx, asked := cluster.WithRequests(ctx)
	p, err := e.planRollout(ctx, k, r, opts.asking())
	return e.planned("plan rollout", k, p, asked, err)
}
