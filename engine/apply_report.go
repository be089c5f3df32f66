package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// maxTroubledPods is of how many pods of one object the same cause is reported.
const maxTroubledPods = 3

// waitReporter makes events of what a wait observes: the same one once, and
// none about objects that were ready when they were first read. Its methods are
// called serially.
type waitReporter struct {
	emit     func(Event)
	key      Key
	redactor *diff.Redactor
	// podText hides Secret values in what pods say; nil: the redactor does.
	podText func(string) string
	hook    bool // HookEnded stands for Ready and Unready

	last     map[diff.Object]string // the last Waiting; empty: it is not waited for, or no longer
	reported map[string]bool        // troubles and log lines
	pods     map[string]int         // reported ones, by object and cause
}

func newWaitReporter(ctx context.Context, r *run, hook bool) *waitReporter {
	return &waitReporter{
		emit: r.e.events.emit, key: r.p.Key, redactor: r.w.redactor, podText: r.texts.in(ctx), hook: hook,
		last: map[diff.Object]string{}, reported: map[string]bool{}, pods: map[string]int{},
	}
}

// ofPods returns what a pod says, or what is said about one, without Secret
// values.
func (w *waitReporter) ofPods(text string) string {
	if w.podText == nil {
		return w.redactor.String(text)
	}
	return w.podText(text)
}

// isNew reports whether something has not been reported, and notes that it is.
func (w *waitReporter) isNew(what string) bool {
	was := w.reported[what]
	w.reported[what] = true
	return !was
}

func (w *waitReporter) update(u readiness.Update) {
	if u.Status.Reason == readiness.ReasonNotSeen {
		return
	}
	o := objectOf(u.Target)
	if u.Status.State == readiness.Ready {
		w.ready(o, u.Status)
		return
	}
	redact := w.redactor.String
	if len(u.Troubles) > 0 {
		redact = w.ofPods // the status may repeat them
	}
	e := Waiting{
		EventMeta: about(w.key), Object: o,
		Ready: u.Status.Ready, Updated: u.Status.Updated, Desired: u.Status.Desired,
		Reason: redact(u.Status.Reason), Message: redact(u.Status.Message),
	}
	for _, trouble := range u.Troubles {
		if p := trouble.Pod; p != nil && !slices.Contains(e.Troubled, p.Name) {
			e.Troubled = append(e.Troubled, p.Name)
		}
	}
	if s := e.String() + e.Reason + fmt.Sprint(e.Troubled); s != w.last[o] {
		w.last[o] = s
		w.emit(e)
	}
	for _, trouble := range u.Troubles {
		w.trouble(o, trouble)
	}
}

func (w *waitReporter) ready(o diff.Object, st readiness.Status) {
	if w.last[o] == "" {
		return
	}
	delete(w.last, o)
	if !w.hook {
		w.emit(Ready{about(w.key), o, State(st.State), st.Ready, st.Desired})
	}
}

func (w *waitReporter) trouble(o diff.Object, trouble readiness.Trouble) {
	key := o.String() + "\x00" + string(trouble.Cause) + "\x00" + trouble.Reason
	if trouble.Pod == nil {
		key += "\x00" + trouble.Message
	} else {
		key += "\x00" + trouble.Pod.Name + "\x00" + trouble.Pod.Container
	}
	if w.isNew(key) {
		e := Trouble{about(w.key), o, Cause(trouble.Cause), w.ofPods(trouble.Reason), w.ofPods(trouble.Message), nil}
		count := o.String() + "\x00" + string(trouble.Cause)
		if trouble.Pod != nil {
			w.pods[count]++
			pod := podDiagnosis(*trouble.Pod, w.ofPods)
			pod.Logs = nil
			e.Pod = &pod
		}
		if w.pods[count] <= maxTroubledPods {
			w.emit(e)
		}
	}
	if p := trouble.Pod; p != nil {
		w.logs(o, p.Name, p.Container, p.Logs)
	}
}

func (w *waitReporter) logs(o diff.Object, pod, container string, lines []string) {
	for _, line := range lines {
		if w.isNew("log\x00" + pod + "\x00" + container + "\x00" + line) {
			w.emit(LogLine{about(w.key), o, pod, container, w.ofPods(line)})
		}
	}
}

// end reports how everything ended that was waited for.
func (w *waitReporter) end(result readiness.Result, err error) {
	var not *NotReadyError
	if errors.As(err, &not) {
		for _, d := range not.Objects {
			for _, p := range d.Pods {
				w.logs(d.Object, p.Name, p.Container, p.Logs)
			}
			delete(w.last, d.Object)
			if !w.hook {
				w.emit(Unready{about(w.key), d.Object, d})
			}
		}
	}
	for _, outcome := range result.Objects {
		w.ready(objectOf(outcome.Target), outcome.Status)
	}
}
