package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// errChanged is returned for a release that is no longer what was deployed: helm, or
// an administrator, has recorded a revision or removed the release.
var errChanged = errors.New("the release is not the one that was deployed")

// unreadyAgain is how soon a release is looked at again of which something is not
// ready.
const unreadyAgain = 15 * time.Second

// steady looks at a release that was deployed as it is wanted, and at its drift.
func (r *reconciler) steady(ctx context.Context, app *v1alpha1.Application, who identity) (engine.Progress, error) {
	if app.Spec.Drift.Mode == v1alpha1.DriftCorrect {
		return r.correct(ctx, app, who)
	}
	status, err := who.engine.Status(ctx, keyOf(app))
	if err != nil {
		return engine.Progress{}, changedIfGone(err)
	}
	if status.Revision.Revision != app.Status.Revision || status.Revision.Status != engine.StatusDeployed {
		return engine.Progress{}, errChanged
	}
	p := engine.Progress{Key: keyOf(app), Phase: engine.PhaseDeployed, Revision: &status.Revision}
	for _, d := range status.Objects {
		if d.State != engine.StateReady && d.State != engine.StateUnknown {
			p.Waiting, p.After = append(p.Waiting, d), unreadyAgain
		}
	}
	app.Status.Drift = nil
	if app.Spec.Drift.Mode == v1alpha1.DriftReport {
		report, err := who.engine.Drift(ctx, keyOf(app))
		if err != nil {
			return engine.Progress{}, changedIfGone(err)
		}
		app.Status.Drift = driftOf(report)
	}
	return p, nil
}

// correct takes a pass that sets back what others have changed.
func (r *reconciler) correct(ctx context.Context, app *v1alpha1.Application, who identity) (engine.Progress, error) {
	opts := passOptions(app)
	opts.OnFailure = engine.LeaveFailed // there is nothing to go back to
	p, err := who.engine.ReconcileCorrection(ctx, keyOf(app), opts)
	if err != nil {
		return p, changedIfGone(err)
	}
	recorded := p.Revision != nil && p.Revision.Revision != app.Status.Revision
	switch {
	case recorded && !p.Changed:
		return p, errChanged
	case recorded && p.Plan != nil:
		drift := driftOf(p.Plan.Report)
		r.metrics.corrected.WithLabelValues(app.Namespace, app.Name).Inc()
		r.emit(app, eventNormal, "DriftCorrected", "%s: %s", p.Plan.Report.Summary(), strings.Join(drift.Fields, "; "))
	}
	app.Status.Drift = nil
	return p, nil
}

func changedIfGone(err error) error {
	if errors.Is(err, engine.ErrReleaseNotFound) || errors.Is(err, engine.ErrUnfinished) {
		return errChanged
	}
	return err
}

// maxDriftFields bounds what the status lists.
const maxDriftFields = 20

// driftOf sums up the report of a correction; nil if it has no changes.
func driftOf(report diff.Report) *v1alpha1.DriftStatus {
	out := &v1alpha1.DriftStatus{}
	for _, c := range report.Changes {
		if !c.Changed() {
			continue
		}
		out.Objects++
		if c.Action != diff.Updated {
			out.Fields = append(out.Fields, strings.TrimSuffix(fmt.Sprintf("%s: %s", c.Object, c.Reason), ": "))
		}
		for _, f := range c.Fields {
			if f.Cause == diff.Default || c.Action != diff.Updated {
				continue
			}
			text := fmt.Sprintf("%s: %s", c.Object, f.Path)
			if f.Manager != "" {
				text += " set by " + f.Manager
			}
			out.Fields = append(out.Fields, text)
		}
	}
	if out.Objects == 0 {
		return nil
	}
	out.Fields = out.Fields[:min(len(out.Fields), maxDriftFields)]
	return out
}
