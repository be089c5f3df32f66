package engine

import (
	"context"

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
	o.OnUpdate = r.tellProgress
	result, err := readiness.Wait(ctx, targets, o)
	if err != nil {
		return notReady(r.p.Key, r.record.Revision, r.w.redactor, err)
	}
	for _, out := range result.Objects {
		r.e.events.emit(Ready{of{r.p.Key}, objectOf(out.Target), out.Status.Ready, out.Status.Desired})
	}
	return nil
}

func (r *run) tellProgress(u readiness.Update) {
	if u.Status.State == readiness.Ready {
		return // told when all are
	}
	w := Waiting{
		of: of{r.p.Key}, Object: objectOf(u.Target),
		Ready: u.Status.Ready, Updated: u.Status.Updated, Desired: u.Status.Desired,
		Reason: u.Status.Reason, Message: r.w.redactor.String(u.Status.Message),
	}
	if len(u.Pods) > 0 {
		w.Reason, w.Message = u.Pods[0].Reason, r.w.redactor.String(u.Pods[0].Message)
	}
	r.e.events.emit(w)
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
