package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/resend"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// hook is one hook of a revision that is to run.
type hook struct {
	object diff.Object
	parsed render.Object
	weight int
	stored *storage.Hook
}

// hooksFor are the hooks of a revision that run at an event, in Helm's order:
// by weight, then by name.
func hooksFor(record *storage.Record, event string) []hook {
	if record == nil {
		return nil
	}
	var out []hook
	for i := range record.Hooks {
		h := &record.Hooks[i]
		if !slices.Contains(h.Events, event) {
			continue
		}
		objects, err := parseManifest(h.Manifest)
		if err != nil || len(objects) != 1 {
			continue // it was one object when it was rendered
		}
		parsed := objects[0]
		if parsed.Source == noSource {
			parsed.Source = h.Path
		}
		out = append(out, hook{object: diff.ObjectOf(parsed.Unstructured), parsed: parsed, weight: h.Weight, stored: h})
	}
	slices.SortStableFunc(out, func(a, b hook) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.stored.Name, b.stored.Name))
	})
	return out
}

// planHooks lists the hooks that the plan runs. One whose kind nobody serves,
// or that the API server does not take, is found here, before anything is
// written.
func (pl *planning) planHooks(ctx context.Context, p *Plan, record *storage.Record, event string) error {
	var desired []render.Object
	for _, it := range p.work.items {
		if it.desired != nil {
			desired = append(desired, render.Object{Unstructured: it.desired})
		}
	}
	own := ownKinds(desired)
	var tried []*triedHook
	for _, phase := range []string{"pre-", "post-"} {
		for _, h := range hooksFor(record, phase+event) {
			it, err := pl.newItem(ctx, h.parsed.Unstructured, h.parsed.Source, own)
			var unknown *Error
			switch {
			case errors.As(err, &unknown) && errors.Is(err, ErrUnknownKind):
				unknown.Hint = "install its CustomResourceDefinition first, or leave hooks out by ApplyOptions.NoHooks"
				p.work.hooksRefused = unknown
				it = &item{object: h.object}
			case err != nil:
				return err
			case !pl.e.allowed(pl.key, it.object):
				p.work.hooksRefused = notAllowed(phase+event+" hook", pl.key, it.object)
			default:
				pl.needForHook(it)
				tried = append(tried, &triedHook{hook: h, it: it, first: phase == "pre-"})
			}
			p.Hooks = append(p.Hooks, PlannedHook{Object: it.object, Event: phase + event, Weight: h.weight})
		}
	}
	return pl.tryHooks(ctx, p, tried)
}

// hookObjects are the objects of all hooks of a revision.
func hookObjects(record *storage.Record) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, h := range record.Hooks {
		objects, err := parseManifest(h.Manifest)
		if err != nil {
			continue // nor will it run
		}
		for _, o := range objects {
			out = append(out, o.Unstructured)
		}
	}
	return out
}

// hooks runs the hooks of an event, one after the other. The first that fails
// ends the run.
func (r *run) hooks(ctx context.Context, event string) error {
	if r.opts.NoHooks {
		return nil
	}
	hooks := hooksFor(r.record, event)
	var failure error
	done := 0
	for _, h := range hooks {
		if failure = r.hook(ctx, h, event); failure != nil {
			break
		}
		done++
	}
	// What is to be deleted after success goes when all of the event have
	// run, or one has failed, as with Helm.
	for _, h := range hooks[:done] {
		if !slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) {
			continue
		}
		err := r.deleteHook(ctx, h)
		if err == nil {
			continue
		}
		if failure == nil {
			return err
		}
		r.warnLeft(err)
	}
	return failure
}

func (r *run) warnLeft(err error) {
	r.e.events.emit(Warning{about(r.p.Key), r.w.redactor.String("a hook is left behind: " + err.Error())})
}

func (r *run) hook(ctx context.Context, h hook, event string) error {
	policies := h.stored.DeletePolicies
	if len(policies) == 0 || slices.Contains(policies, string(render.HookBeforeHookCreation)) {
		if err := r.deleteHook(ctx, h); err != nil {
			return err
		}
	}
	it, err := r.hookItem(ctx, h)
	if err != nil {
		return err
	}
	begun := time.Now()
	h.stored.LastRun = storage.HookRun{StartedAt: begun, Phase: "Running"}
	r.e.events.emit(HookStarted{about(r.p.Key), it.object, event})

	err = r.runHook(ctx, it, h)

	h.stored.LastRun.CompletedAt = time.Now()
	h.stored.LastRun.Phase = "Succeeded"
	if err != nil {
		h.stored.LastRun.Phase = "Failed"
	}
	r.e.events.emit(HookEnded{about(r.p.Key), it.object, event, time.Since(begun), err})
	if r.ranHook != nil {
		r.ranHook(ctx, it)
	}
	if err == nil {
		return nil
	}
	if slices.Contains(policies, string(render.HookFailed)) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
		defer cancel()
		if err := r.deleteHook(end, h); err != nil {
			r.warnLeft(err)
		}
	}
	failed := &Error{Op: event + " hook", Key: r.p.Key, Object: it.object, Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		failed.Hint, failed.Err = inner.Hint, inner.Err
	}
	return failed
}

// runHook creates the hook and waits until a Job or Pod has completed; other
// kinds are done when they are there, as with Helm.
func (r *run) runHook(ctx context.Context, it *item, h hook) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	sent, again := resend.Count(ctx)
	client := r.e.c.resource(it.mapping, it.object.Namespace)
	u, err := client.Create(sent, h.parsed.Unstructured, metav1.CreateOptions{FieldManager: r.e.opts.FieldManager})
	if apierrors.IsAlreadyExists(err) && again.Load() > 0 {
		u, err = client.Get(ctx, it.object.Name, metav1.GetOptions{}) // created by a request whose answer was lost
	}
	if err != nil {
		return r.hidden(it, "create hook", err)
	}
	it.object.Name = u.GetName()
	h.parsed.SetName(u.GetName()) // of generateName: by it the hook is found to be deleted
	if it.object.Kind != "Job" && it.object.Kind != "Pod" {
		return nil
	}
	it.live = u
	return r.wait(ctx, []readiness.Target{target(it)}, r.completion(), newTeller(r, true))
}

func (r *run) hookItem(ctx context.Context, h hook) (*item, error) {
	pl := &planning{e: r.e, key: r.p.Key}
	it, err := pl.newItem(ctx, h.parsed.Unstructured, h.parsed.Source, nil)
	if err != nil {
		return nil, err
	}
	if namespaced(it.mapping) {
		h.parsed.SetNamespace(it.object.Namespace)
	}
	return it, nil
}

// deleteHook deletes what a run left, and waits until it is gone. As with
// Helm, CRDs stay: all objects of their kinds would go with them.
func (r *run) deleteHook(ctx context.Context, h hook) error {
	it, err := r.hookItem(ctx, h)
	if err != nil || it.object.Name == "" || it.mapping.GroupVersionKind.GroupKind() == crdKind {
		return err // one with generateName has no name before it is created
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	background := metav1.DeletePropagationBackground
	client := r.e.c.resource(it.mapping, it.object.Namespace)
	it.live, err = client.Get(ctx, it.object.Name, metav1.GetOptions{})
	if err == nil {
		err = client.Delete(ctx, it.object.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return r.hidden(it, "delete hook", err)
	}
	if err := readiness.WaitGone(ctx, []readiness.Target{target(it)}, r.e.waitOptions()); err != nil {
		return &Error{Op: "delete hook", Key: r.p.Key, Object: it.object, Err: notReady(r.p.Key, r.record.Revision, r.w.redactor, err)}
	}
	return nil
}

// completion waits for a Pod to succeed, where otherwise running would do.
func (r *run) completion() readiness.Options {
	o := r.waitOptions()
	rules := maps.Clone(o.Rules)
	if rules == nil {
		rules = map[schema.GroupKind]readiness.Rule{}
	}
	rules[schema.GroupKind{Kind: "Pod"}] = func(u *unstructured.Unstructured) (readiness.Status, error) {
		phase, _, err := unstructured.NestedString(u.Object, "status", "phase")
		if err != nil {
			return readiness.Status{}, err
		}
		message, _, _ := unstructured.NestedString(u.Object, "status", "message")
		switch phase {
		case "Succeeded":
			return readiness.Status{State: readiness.Ready, Reason: phase}, nil
		case "Failed":
			return readiness.Status{State: readiness.Failed, Reason: phase, Message: message}, nil
		}
		return readiness.Status{State: readiness.Progressing, Reason: phase, Message: message}, nil
	}
	o.Rules = rules
	return o
}
