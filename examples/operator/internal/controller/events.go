package controller

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

const (
	eventNormal  = corev1.EventTypeNormal
	eventWarning = corev1.EventTypeWarning
)

// announce emits an event if the condition Ready has another reason, or is about another
// revision.
func (r *reconciler) announce(before, app *v1alpha1.Application) {
	old := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.Ready)
	now := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.Ready)
	if now == nil || old != nil && old.Reason == now.Reason && before.Status.Revision == app.Status.Revision {
		return
	}
	kind := eventNormal
	if now.Status == "False" && now.Reason != "Suspended" && now.Reason != "ChartLoading" {
		kind = eventWarning
	}
	r.emit(app, kind, now.Reason, "%s", now.Message)
}

// maxNote is the bound on the note of an event.
const maxNote = 1024

func (r *reconciler) emit(app *v1alpha1.Application, kind, reason, note string, args ...any) {
	text := fmt.Sprintf(note, args...)
	r.events.Eventf(app, nil, kind, reason, "Reconcile", "%s", strings.ToValidUTF8(text[:min(len(text), maxNote)], ""))
}
