package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// waitReady waits until everything that the revision wants is ready, what it
// did not change included.
func (r *run) waitReady(ctx context.Context) error {
	if r.opts.NoWait {
		return nil
	}
	var targets []readiness.Target
	for _, it := range r.w.items {
		if it.desired != nil && it.live != nil && !it.crd {
			targets = append(targets, r.e.waitTarget(ctx, it))
		}
	}
	return r.wait(ctx, targets, r.waitOptions(), newTeller(r, false))
}

// wait waits for targets, tells of it, and puts a failure into the words of
// this package.
func (r *run) wait(ctx context.Context, targets []readiness.Target, o readiness.Options, t *teller) error {
	if len(targets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	o.OnUpdate = t.tell
	result, err := readiness.Wait(ctx, targets, o)
	if err != nil {
		err = notReady(r.p.Key, r.record.Revision, r.w.redactor, err)
	}
	t.end(result, err)
	return err
}

func (e *Engine) waitOptions() readiness.Options {
	return readiness.Options{Client: e.c.dynamic, Logs: readiness.PodLogs(e.c.typed.CoreV1()), Rules: e.rules}
}

func (r *run) waitOptions() readiness.Options {
	o := r.e.waitOptions()
	o.Policy = r.opts.Patience
	return o
}

// target is the item as something to wait for, in the state that it was last
// read or written.
func target(it *item) readiness.Target {
	return readiness.Target{
		GVR: it.mapping.Resource, Kind: it.object.Kind, Namespace: it.object.Namespace, Name: it.object.Name,
		UID: it.live.GetUID(), Generation: it.live.GetGeneration(),
	}
}

// waitTarget is the item as something to wait for, with what its kind can
// report.
func (e *Engine) waitTarget(ctx context.Context, it *item) readiness.Target {
	t := target(it)
	t.NoStatus = !diff.IsBuiltinGroup(t.GVR.Group) && !e.c.hasStatus(ctx, t.GVR)
	return t
}

func objectOf(t readiness.Target) diff.Object {
	return diff.Object{Group: t.GVR.Group, Version: t.GVR.Version, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}

// maxTroubledPods of one object and cause are told of; the rest looks the same.
const maxTroubledPods = 3

// teller makes events of what a wait sees: the same thing once, and nothing of
// objects that were ready when they were first looked at. Its methods are
// called serially.
type teller struct {
	r     *run
	hook  bool                   // HookEnded stands for Ready and Unready
	last  map[diff.Object]string // the last Waiting; empty: not waited for (any more)
	told  map[string]bool        // troubles and log lines
	named map[string]int         // pods told of, by object and cause
}

func newTeller(r *run, hook bool) *teller {
	return &teller{r, hook, map[diff.Object]string{}, map[string]bool{}, map[string]int{}}
}

func (t *teller) emit(e Event)           { t.r.e.events.emit(e) }
func (t *teller) about() of              { return about(t.r.p.Key) }
func (t *teller) clean(s string) string  { return t.r.w.redactor.String(s) }
func (t *teller) isNew(what string) bool { was := t.told[what]; t.told[what] = true; return !was }

func (t *teller) tell(u readiness.Update) {
	if u.Status.Reason == readiness.ReasonNotSeen {
		return
	}
	o := objectOf(u.Target)
	if u.Status.State == readiness.Ready {
		t.ready(o, u.Status)
		return
	}
	w := Waiting{
		of: t.about(), Object: o,
		Ready: u.Status.Ready, Updated: u.Status.Updated, Desired: u.Status.Desired,
		Reason: u.Status.Reason, Message: t.clean(u.Status.Message),
	}
	for _, trouble := range u.Troubles {
		if p := trouble.Pod; p != nil && !slices.Contains(w.Troubled, p.Name) {
			w.Troubled = append(w.Troubled, p.Name)
		}
	}
	if s := w.String() + w.Reason + fmt.Sprint(w.Troubled); s != t.last[o] {
		t.last[o] = s
		t.emit(w)
	}
	for _, trouble := range u.Troubles {
		t.trouble(o, trouble)
	}
}

func (t *teller) ready(o diff.Object, st readiness.Status) {
	if t.last[o] == "" {
		return
	}
	delete(t.last, o)
	if !t.hook {
		t.emit(Ready{t.about(), o, State(st.State), st.Ready, st.Desired})
	}
}

func (t *teller) trouble(o diff.Object, trouble readiness.Trouble) {
	key := o.String() + "\x00" + string(trouble.Cause) + "\x00" + trouble.Reason
	if trouble.Pod == nil {
		key += "\x00" + trouble.Message
	} else {
		key += "\x00" + trouble.Pod.Name + "\x00" + trouble.Pod.Container
	}
	if t.isNew(key) {
		e := Trouble{t.about(), o, string(trouble.Cause), trouble.Reason, t.clean(trouble.Message), nil}
		count := o.String() + "\x00" + string(trouble.Cause)
		if trouble.Pod != nil {
			t.named[count]++
			pod := podDiagnosis(*trouble.Pod, t.r.w.redactor)
			pod.Logs = nil
			e.Pod = &pod
		}
		if t.named[count] <= maxTroubledPods {
			t.emit(e)
		}
	}
	if p := trouble.Pod; p != nil {
		t.logs(o, p.Name, p.Container, p.Logs)
	}
}

func (t *teller) logs(o diff.Object, pod, container string, lines []string) {
	for _, line := range lines {
		if t.isNew("log\x00" + pod + "\x00" + container + "\x00" + line) {
			t.emit(LogLine{t.about(), o, pod, container, t.clean(line)})
		}
	}
}

// end tells what has become of all that was waited for.
func (t *teller) end(result readiness.Result, err error) {
	var not *NotReadyError
	if errors.As(err, &not) {
		for _, d := range not.Objects {
			for _, p := range d.Pods {
				t.logs(d.Object, p.Name, p.Container, p.Logs)
			}
			delete(t.last, d.Object)
			if !t.hook {
				t.emit(Unready{t.about(), d.Object, d})
			}
		}
	}
	for _, outcome := range result.Objects {
		t.ready(objectOf(outcome.Target), outcome.Status)
	}
}
