package readiness

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// endsByItself: a Job or Pod may be cleaned up once it is done.
func endsByItself(t Target) bool {
	gk := t.GroupKind()
	return gk.Group == "batch" && gk.Kind == "Job" || gk.Group == "" && gk.Kind == "Pod"
}

// remove notes that a target was deleted, as it was last: one that was done
// stays done, and one that had failed stays failed.
func (w *waiter) remove(tr *tracked, last *unstructured.Unstructured) {
	last = withoutDeletion(last)
	final := tr.assess(last, w.o.Rules)
	switch {
	case !endsByItself(tr.Target) || !tr.matches(last):
	case final.State == Ready:
		tr.finished, tr.status = true, final
	case final.State == Failed && tr.EndsByTTL:
		w.update(tr, last)
		return
	default:
		tr.ending = &ending{status: notFound(tr.status.Desired)} // its TTL deletes only what has finished
	}
	w.update(tr, nil)
}

func notFound(desired int) Status {
	return Status{State: Failed, Reason: "NotFound", Message: "the object does not exist", Desired: desired}
}

// ending is how a Job ended that was never seen to end, because its TTL deleted
// it first.
type ending struct{ status Status }

// reasonEnded is the reason of a Job whose end is being looked up.
const reasonEnded = "Ended"

// endingOf returns the status of a Job that its TTL may have deleted before it
// was seen to finish. Events say whether it failed; without them it counts as
// done, as a Job that is gone later does.
func (w *waiter) endingOf(tr *tracked) Status {
	if tr.ending == nil {
		tr.ending = &ending{Status{State: Progressing, Reason: reasonEnded, Message: "it does not exist any more; looking for how it ended"}}
		w.background(func() { w.lookUpEnding(tr.Namespace, tr.UID, tr.ending) })
	}
	return tr.ending.status
}

func (w *waiter) lookUpEnding(namespace string, uid types.UID, e *ending) {
	found := Status{State: Ready, Reason: "Finished", Message: "it has finished, and ttlSecondsAfterFinished has deleted it"}
	for range endingLooks { // an event is written a moment later
		st, ok := w.endingEvent(namespace, uid)
		if ok {
			found = st
			break
		}
		select {
		case <-time.After(betweenLooks):
		case <-w.ctx.Done():
			return
		}
	}
	select {
	case w.notes <- note{learned: func() { e.status = found }}:
	case <-w.ctx.Done():
	}
}

const (
	endingLooks  = 4
	betweenLooks = 500 * time.Millisecond
)

// endingEvent returns how a Job ended by its events; false if they do not say.
func (w *waiter) endingEvent(namespace string, uid types.UID) (Status, bool) {
	list, err := w.o.Client.Resource(eventsGVR).Namespace(namespace).List(w.ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(uid)})
	if err != nil {
		return Status{}, false
	}
	for i := range list.Items {
		ev := typed[corev1.Event](&list.Items[i])
		switch {
		case ev == nil:
		case slices.Contains(jobFailures, ev.Reason):
			return Status{State: Failed, Reason: ev.Reason, Message: ev.Message}, true
		case ev.Reason == "Completed":
			return Status{State: Ready, Reason: "Complete", Message: "it has completed, and ttlSecondsAfterFinished has deleted it"}, true
		}
	}
	return Status{}, false
}

// jobFailures are the reasons for which the Job controller gives a Job up.
var jobFailures = []string{"BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"}
