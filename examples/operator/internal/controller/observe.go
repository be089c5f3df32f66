package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/render"
)

// Bounds of a status.
const (
	maxDiagnoses = 10
	maxMessage   = 1024
)

// observe writes the progress of a release into the status of its Application.
func observe(app *v1alpha1.Application, p engine.Progress) {
	s := &app.Status
	s.Phase = string(p.Phase)
	s.Diagnosis = nil
	for _, d := range p.Waiting[:min(len(p.Waiting), maxDiagnoses)] {
		s.Diagnosis = append(s.Diagnosis, d.String())
	}
	if p.Revision != nil {
		s.Revision = p.Revision.Revision
	}
	if p.Plan != nil {
		observePlan(s, p)
	}
	message := fmt.Sprintf("revision %d", s.Revision)
	if p.Revision != nil && p.Revision.Chart != "" {
		message += " of chart " + p.Revision.Chart
	}
	switch {
	case p.Err != nil:
		message = engine.Headline(p.Err)
	case len(p.Waiting) > 0:
		message, _, _ = strings.Cut(s.Diagnosis[0], "\n")
	}
	switch p.Phase {
	case engine.PhaseDeployed:
		if len(p.Waiting) > 0 {
			conditions(app, metav1.ConditionFalse, "", "Unready", message)
		} else {
			conditions(app, metav1.ConditionTrue, "", string(p.Phase), message)
		}
	case engine.PhaseBlocked, engine.PhaseFailed, engine.PhaseReverted:
		conditions(app, metav1.ConditionFalse, v1alpha1.Stalled, string(p.Phase), message)
	default:
		conditions(app, metav1.ConditionUnknown, v1alpha1.Reconciling, string(p.Phase), message)
	}
}

// observePlan keeps what the pass has planned, and which objects the release has.
func observePlan(s *v1alpha1.ApplicationStatus, p engine.Progress) {
	s.Inventory = nil
	for _, c := range p.Plan.Report.Changes {
		if c.Action == diff.Deleted || c.Action == diff.Kept {
			continue
		}
		s.Inventory = append(s.Inventory, v1alpha1.ObjectReference(c.Object))
	}
	if p.Changed && p.Plan.To != 0 && (s.LastPlan == nil || s.LastPlan.To != p.Plan.To) {
		s.LastPlan = &v1alpha1.PlanSummary{Kind: string(p.Plan.Kind), From: p.Plan.From, To: p.Plan.To, Summary: p.Plan.Report.Summary()}
	}
}

// suspended says that the release is left as it is.
func suspended(app *v1alpha1.Application) {
	app.Status.Phase = "Suspended"
	conditions(app, metav1.ConditionFalse, "", "Suspended", "spec.suspend is set")
}

// waiting says why no pass is taken yet.
func waiting(app *v1alpha1.Application, reason, message string) {
	app.Status.Phase = "Pending"
	conditions(app, metav1.ConditionFalse, v1alpha1.Reconciling, reason, message)
}

// failed says why a pass could not be completed. What a retry alone cannot change
// counts as stalled.
func failed(app *v1alpha1.Application, err error) {
	abnormal, reason := v1alpha1.Reconciling, "Retrying"
	var rendering *render.Error
	var schema *render.SchemaError
	switch {
	case errors.As(err, &rendering), errors.As(err, &schema):
		abnormal, reason = v1alpha1.Stalled, "RenderFailed"
	case errors.Is(err, engine.ErrForbidden):
		abnormal, reason = v1alpha1.Stalled, "Forbidden"
	}
	conditions(app, metav1.ConditionFalse, abnormal, reason, engine.Headline(err))
}

// conditions sets Ready, and the one that is abnormal; the other one is removed.
func conditions(app *v1alpha1.Application, ready metav1.ConditionStatus, abnormal, reason, message string) {
	s := &app.Status
	message = message[:min(len(message), maxMessage)]
	set := func(kind string, status metav1.ConditionStatus) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: strings.ToValidUTF8(message, ""), ObservedGeneration: app.Generation,
		})
	}
	set(v1alpha1.Ready, ready)
	for _, kind := range []string{v1alpha1.Reconciling, v1alpha1.Stalled} {
		if kind == abnormal {
			set(kind, metav1.ConditionTrue)
		} else {
			s.Conditions = slices.DeleteFunc(s.Conditions, func(c metav1.Condition) bool { return c.Type == kind })
		}
	}
}
