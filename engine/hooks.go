package engine

import (
	"context"
	"fmt"
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

// hooksFor are the hooks that run at an event, in order: by weight, then as
// the manifest has them. Deleting uses the hooks of what is deleted.
func hooksFor(record, last *storage.Record, event string) []hook {
	if record == nil {
		record = last
	}
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
		out = append(out, hook{object: diff.ObjectOf(objects[0].Unstructured), parsed: objects[0], weight: h.Weight, stored: h})
	}
	slices.SortStableFunc(out, func(a, b hook) int { return a.weight - b.weight })
	return out
}

// hooks runs the hooks of an event, one after the other. The first that fails
// ends the run.
func (r *run) hooks(ctx context.Context, event string) error {
	if r.opts.NoHooks {
		return nil
	}
	hooks := hooksFor(r.record, nil, event)
	for _, h := range hooks {
		if err := r.hook(ctx, h, event); err != nil {
			return err
		}
	}
	// What is to be deleted after success goes when all of the event have
	// succeeded, as with Helm.
	for _, h := range hooks {
		if slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) {
			if err := r.deleteHook(ctx, h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) hook(ctx context.Context, h hook, event string) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	policies := h.stored.DeletePolicies
	if len(policies) == 0 || slices.Contains(policies, string(render.HookBeforeHookCreation)) {
		if err := r.deleteHook(ctx, h); err != nil {
			return err
		}
	}
	begun := time.Now()
	h.stored.LastRun = storage.HookRun{StartedAt: begun, Phase: "Running"}
	r.e.events.emit(HookStarted{about(r.p.Key), h.object, event})

	err := r.runHook(ctx, h)

	h.stored.LastRun.CompletedAt = time.Now()
	h.stored.LastRun.Phase = "Succeeded"
	if err != nil {
		h.stored.LastRun.Phase = "Failed"
	}
	r.e.events.emit(HookEnded{about(r.p.Key), h.object, event, time.Since(begun), err})
	if err == nil {
		return nil
	}
	if slices.Contains(policies, string(render.HookFailed)) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
		defer cancel()
		if err := r.deleteHook(end, h); err != nil {
			r.e.events.emit(Warning{about(r.p.Key), "the failed hook is left behind: " + err.Error()})
		}
	}
	return &Error{Op: event + " hook", Key: r.p.Key, Object: h.object, Err: err}
}

// runHook creates the hook and waits until a Job or Pod has completed; other
// kinds are done when they are there, as with Helm.
func (r *run) runHook(ctx context.Context, h hook) error {
	it, err := r.hookItem(ctx, h)
	if err != nil {
		return err
	}
	sent, again := resend.Count(ctx)
	client := r.e.c.resource(it.mapping, it.object.Namespace)
	u, err := client.Create(sent, h.parsed.Unstructured, metav1.CreateOptions{FieldManager: r.e.opts.FieldManager})
	if apierrors.IsAlreadyExists(err) && again.Load() > 0 {
		u, err = client.Get(ctx, it.object.Name, metav1.GetOptions{}) // created by a request whose answer was lost
	}
	if err != nil {
		return r.failed(it, "create hook", err)
	}
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

// deleteHook deletes what an earlier run left, and waits until it is gone.
func (r *run) deleteHook(ctx context.Context, h hook) error {
	it, err := r.hookItem(ctx, h)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	client := r.e.c.resource(it.mapping, it.object.Namespace)
	it.live, err = client.Get(ctx, it.object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return explain("delete hook", r.p.Key, it.object, err)
	}
	err = client.Delete(ctx, it.object.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return explain("delete hook", r.p.Key, it.object, err)
	}
	if err := readiness.WaitGone(ctx, []readiness.Target{target(it)}, r.e.waitOptions()); err != nil {
		return fmt.Errorf("delete the earlier run of hook %s: %w", it.object, err)
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
