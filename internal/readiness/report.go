package readiness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// diagnoseWithin bounds the requests that explain a failure: logs,
	// whether a pull secret exists, what a claim waits for.
	diagnoseWithin = 3 * time.Second

	maxPods   = 5 // described for each object; the rest usually look the same
	maxEvents = 5
)

// report sends an update if anything in it is new.
func (w *waiter) report(tr *tracked) {
	if w.o.OnUpdate == nil {
		return
	}
	u := Update{Target: tr.Target, Status: tr.status}
	text := tr.status.String() + fmt.Sprint(tr.status.Ready, tr.status.Updated, tr.status.Desired)
	for _, t := range tr.troubles {
		text += "\n" + t.key + "\x00" + t.reason + "\x00" + t.message
		one := Trouble{Cause: t.cause, Reason: t.reason, Message: t.message}
		if t.pod != nil {
			pod := *t.pod
			pod.Logs = w.crashLog(tr.Namespace, t)
			one.Pod = &pod
			text += fmt.Sprint(pod.Restarts, len(pod.Logs))
		}
		u.Troubles = append(u.Troubles, one)
	}
	if text != tr.reported {
		tr.reported = text
		w.post.put(u)
	}
}

// readFamily reads the pods and ReplicaSets in a namespace that no watch has listed yet,
// and that would explain a failure.
func (w *waiter) readFamily(read *reader, namespace string, s *space) {
	pods, sets := false, false
	for _, tr := range w.all {
		if tr.Namespace == namespace && tr.status.State != Ready {
			pods, sets = pods || ownsPods(tr.Target), sets || ownsSets(tr.Target)
		}
	}
	if pods && !s.listed[podsGVR] {
		read.list(podsGVR, namespace, s.view)
	}
	if sets && !s.listed[replicaSetsGVR] {
		read.list(replicaSetsGVR, namespace, s.view)
	}
}

// isLate reports whether anything in a namespace should have become ready: what a
// look was given as just applied has had no time to.
func (w *waiter) isLate(namespace string) bool {
	return slices.ContainsFunc(w.all, func(tr *tracked) bool {
		return tr.Namespace == namespace && tr.status.State != Ready && (!w.once || tr.Applied == nil)
	})
}

// notReady returns the error that ends the wait. If the caller cancelled it, or
// the API server is unreachable, the error is made at once of what is known;
// otherwise a short time is spent on finding the cause.
func (w *waiter) notReady(ctx context.Context, why error) error {
	now := time.Now()
	e := &NotReady{Total: len(w.all), Waited: now.Sub(w.began), Err: why}
	var read *reader
	if !errors.Is(why, context.Canceled) && !hasFeedError(why) {
		// The wait may have timed out, and the cause is still wanted.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseWithin)
		defer cancel()
		read = &reader{ctx: grace, o: w.o}
		for name, s := range w.spaces {
			if name == "" || !w.isLate(name) {
				continue
			}
			// Before the watch of warnings was opened, or returned anything.
			if now.Sub(w.began) < 2*explainAfter {
				read.warnings(name, s.view)
			}
			w.readFamily(read, name, s)
		}
	}
	for _, tr := range w.all {
		if w.done(tr, now) {
			continue
		}
		if tr.obj != nil && tr.known {
			w.judge(tr) // with the warnings that were just read
		}
		// What ended the wait goes first.
		if v := w.verdict(tr, now); v != nil {
			first := *v
			rest := slices.DeleteFunc(slices.Clone(tr.troubles), func(t trouble) bool { return t.key == first.key })
			tr.troubles = append([]trouble{first}, rest...)
		}
		d := describe(w.spaces[tr.Namespace].view, tr.Target, tr.obj, tr.status, tr.troubles)
		if d.Cause == "" {
			d.Cause = CauseTimeout
		}
		if read != nil {
			read.enrich(&d, tr.obj)
		} else {
			d.Hint = hint(&d)
		}
		e.Objects = append(e.Objects, d)
	}
	// Objects with a cause first: the others often only wait for them.
	slices.SortStableFunc(e.Objects, func(a, b Diagnosis) int {
		return cmp.Compare(weight(a), weight(b))
	})
	return e
}

func weight(d Diagnosis) int {
	switch d.Cause {
	case "", CauseTimeout:
		return 2
	case CauseUnready, CauseEvicted, CauseGated:
		return 1
	}
	return 0
}

func hasFeedError(err error) bool {
	var f *FeedError
	return errors.As(err, &f)
}

// describe returns a Diagnosis of what is known without further requests.
func describe(v *view, t Target, obj *unstructured.Unstructured, st Status, troubles []trouble) Diagnosis {
	d := Diagnosis{
		Kind: t.Kind, Group: t.GVR.Group, Version: t.GVR.Version, Namespace: t.Namespace, Name: t.Name,
		State: st.State, Reason: st.Reason, Message: st.Message,
		Ready: st.Ready, Updated: st.Updated, Desired: st.Desired,
	}
	if st.State == Ready {
		return d
	}
	var f family
	if obj != nil {
		f = familyOf(v, obj)
		troubles = append(slices.Clone(troubles), unreadyPods(f, troubles)...)
	}
	for i, tr := range troubles {
		// A pod that is only starting is shown, but is not the cause.
		if i == 0 && tr.cause != CauseTimeout {
			d.Cause, d.Reason, d.Message = tr.cause, tr.reason, tr.message
		}
		if tr.pod != nil && len(d.Pods) < maxPods {
			d.Pods = append(d.Pods, *tr.pod)
		}
	}
	if obj == nil {
		return d
	}
	about := v.eventsAbout(obj.GetUID())
	if f.set != nil {
		about = append(about, v.eventsAbout(f.set.UID)...)
	}
	for _, p := range append(slices.Clone(f.now), f.old...) {
		if slices.ContainsFunc(d.Pods, func(x PodDiagnosis) bool { return x.Name == p.Name }) {
			about = append(about, v.eventsAbout(p.UID)...)
		}
	}
	d.Events = warnings(about, specChanged(obj))
	return d
}

// warnings returns the latest event of each object and reason since the object
// was last written.
func warnings(about []*corev1.Event, since time.Time) []Event {
	var out []Event
	slices.SortStableFunc(about, func(a, b *corev1.Event) int { return lastSeen(b).Compare(lastSeen(a)) })
	listed := map[string]bool{}
	for _, e := range about {
		key := e.InvolvedObject.Kind + "/" + e.Reason
		if listed[key] || lastSeen(e).Before(since) || len(out) == maxEvents {
			continue
		}
		listed[key] = true
		out = append(out, Event{
			Object: e.InvolvedObject.Kind + " " + e.InvolvedObject.Name,
			Reason: e.Reason, Message: e.Message, Count: timesSeen(e), Last: lastSeen(e).UTC(),
		})
	}
	return out
}
