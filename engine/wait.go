package engine

import (
	"context"
	"fmt"

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
			targets = append(targets, target(it))
		}
	}
	if len(targets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	o := r.e.waitOptions()
	o.OnUpdate = newTeller(r).tell
	if _, err := readiness.Wait(ctx, targets, o); err != nil {
		return notReady(r.p.Key, r.record.Revision, r.w.redactor, err)
	}
	return nil
}

// teller makes events of what the wait sees: the same thing once, and nothing
// of objects that were ready when they were first looked at.
type teller struct {
	r    *run
	last map[diff.Object]string
}

func newTeller(r *run) *teller { return &teller{r, map[diff.Object]string{}} }

// tell is called serially.
func (t *teller) tell(u readiness.Update) {
	if u.Status.Reason == readiness.ReasonNotSeen {
		return
	}
	o := objectOf(u.Target)
	var e Event
	if u.Status.State == readiness.Ready {
		if t.last[o] == "" {
			return
		}
		e = Ready{of{t.r.p.Key}, o, u.Status.Ready, u.Status.Desired}
	} else {
		w := Waiting{
			of: of{t.r.p.Key}, Object: o,
			Ready: u.Status.Ready, Updated: u.Status.Updated, Desired: u.Status.Desired,
			Reason: u.Status.Reason, Message: t.r.w.redactor.String(u.Status.Message),
		}
		if len(u.Pods) > 0 {
			w.Trouble = t.r.w.redactor.String(fmt.Sprintf("%s: %s", u.Pods[0].Reason, u.Pods[0].Message))
		}
		e = w
	}
	if s := e.String(); s != t.last[o] {
		t.last[o] = s
		t.r.e.events.emit(e)
	}
}

func (e *Engine) waitOptions() readiness.Options {
	return readiness.Options{Client: e.c.dynamic, Logs: readiness.PodLogs(e.c.typed.CoreV1())}
}

// target is the item as something to wait for, in the state that it was last
// read or written.
func target(it *item) readiness.Target {
	return readiness.Target{
		GVR: it.mapping.Resource, Kind: it.object.Kind, Namespace: it.object.Namespace, Name: it.object.Name,
		UID: it.live.GetUID(), Generation: it.live.GetGeneration(),
	}
}

func objectOf(t readiness.Target) diff.Object {
	return diff.Object{Group: t.GVR.Group, Version: t.GVR.Version, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}
