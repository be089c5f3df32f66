package engine

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// waitReady waits until everything that the revision wants is ready, what it
// did not change included.
func (r *run) waitReady(ctx context.Context) error {
	if r.opts.NoWait {
		return nil
	}
	if r.passing {
		if known, err := r.readyAsRead(ctx); known {
			return err
		}
	}
	var targets []readiness.Target
	for s, live := range r.awaited() {
		targets = append(targets, r.written(s, r.e.waitTarget(ctx, s.object.target, live), live))
	}
	return r.wait(ctx, "ready", targets, r.waitOptions())
}

// written is t with the object as this call has written it, from which a wait goes on:
// if nothing was waited for since, and it was not ready then, which may be what was
// before the write. A Service only has to be written.
func (r *run) written(s step, t readiness.Target, live *unstructured.Unstructured) readiness.Target {
	if live == s.object.live {
		return t
	}
	if readiness.ReadyOnceWritten(live, r.e.rules) || !r.waited.Load() && readiness.Assess(live, r.e.rules).State != readiness.Ready {
		t.Applied = live
	}
	return t
}

// awaited are the steps whose objects are to become ready, each with its live object.
func (r *run) awaited() iter.Seq2[step, *unstructured.Unstructured] {
	return func(yield func(step, *unstructured.Unstructured) bool) {
		for i, s := range r.w.steps {
			live := r.state.live(i)
			if s.object.desired != nil && live != nil && s.object.origin != fromCRDs && !yield(s, live) {
				return
			}
		}
	}
}

// waitServed waits until the API server serves what new CRDs define.
func (r *run) waitServed(ctx context.Context, crds []int) error {
	if len(crds) == 0 {
		return nil
	}
	var targets []readiness.Target
	for _, i := range crds {
		targets = append(targets, readinessTarget(r.w.steps[i].object.target, r.state.live(i)))
	}
	if err := r.wait(ctx, "served", targets, r.waitOptions()); err != nil {
		return err
	}
	r.e.cluster.ForgetDiscovery(ctx)
	for _, i := range crds {
		r.e.cluster.ForgetSchemas(r.w.steps[i].object.desired)
	}
	return nil
}

// wait waits for targets and reports on it. name says what is waited for, among
// the waits of the run. A failure is a *NotReadyError, or an *Error if it was not
// possible to wait.
func (r *run) wait(ctx context.Context, name string, targets []readiness.Target, o readiness.Options) error {
	return r.waitAs(ctx, name, r.opts.timeout(), targets, o, newWaitReporter(ctx, r, false))
}

// waitAs is wait with a timeout and a reporter of its own. A pass only looks, and
// returns errInTransition while it would have to wait.
func (r *run) waitAs(ctx context.Context, name string, timeout time.Duration, targets []readiness.Target, o readiness.Options, reporter *waitReporter) error {
	if len(targets) == 0 {
		return nil
	}
	if r.passing {
		return r.look(ctx, name, timeout, targets, o, reporter)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o.OnUpdate = reporter.update
	result, err := readiness.Wait(ctx, targets, o)
	r.waited.Store(true)
	if err != nil {
		err = notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err)
	}
	reporter.end(result, err)
	return err
}

// waitGoneFor waits until objects are gone. A pass only looks.
func (r *run) waitGoneFor(ctx context.Context, targets []readiness.Target) error {
	if !r.passing {
		return readiness.WaitGone(ctx, targets, r.e.waitOptions())
	}
	return r.lookGone(ctx, targets)
}

func (e *Engine) waitOptions() readiness.Options {
	return readiness.Options{Client: e.cluster.Dynamic, Logs: readiness.PodLogs(e.cluster.Typed.CoreV1()), Rules: e.rules}
}

func (r *run) waitOptions() readiness.Options {
	o := r.e.waitOptions()
	o.Limits = r.opts.FailurePolicy.limits()
	return o
}

// readinessTarget is an object to wait for, as it was last read or written.
func readinessTarget(t target, live *unstructured.Unstructured) readiness.Target {
	return readiness.Target{
		GVR: t.mapping.Resource, Kind: t.id.Kind, Namespace: t.id.Namespace, Name: t.id.Name,
		UID: live.GetUID(), Generation: live.GetGeneration(), EndsByTTL: deletedByTTL(live),
	}
}

// ownEntry is the entry of managedFields of the engine's own applies, as JSON;
// empty if there is none.
func (e *Engine) ownEntry(live *unstructured.Unstructured) string {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != e.opts.FieldManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" {
			continue
		}
		if text, err := json.Marshal(entry); err == nil {
			return string(text)
		}
	}
	return ""
}

// waitTarget is readinessTarget with what the engine has written there, and
// whether objects of the kind report a status.
func (e *Engine) waitTarget(ctx context.Context, t target, live *unstructured.Unstructured) readiness.Target {
	out := readinessTarget(t, live)
	if out.Generation > 0 {
		out.Written = e.ownEntry(live)
	}
	out.NoStatus = !diff.IsBuiltinGroup(out.GVR.Group) && !e.cluster.HasStatus(ctx, out.GVR)
	return out
}

func objectOf(t readiness.Target) diff.Object {
	return diff.Object{Group: t.GVR.Group, Version: t.GVR.Version, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}
