package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/resend"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// runHooks runs the hooks of an event, one after the other. The first that
// fails ends the run.
func (r *run) runHooks(ctx context.Context, event string) error {
	if r.opts.NoHooks {
		return nil
	}
	hooks := hooksFor(r.record, event)
	var failure error
	done := 0
	for _, h := range hooks {
		if failure = r.runHook(ctx, h, event, nil); failure != nil {
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
		r.warnLeftBehind(err)
	}
	return failure
}

func (r *run) warnLeftBehind(err error) {
	r.e.events.emit(Warning{about(r.p.Key), r.w.redactor.String("a hook is left behind: " + err.Error())})
}

// hooksTimeoutHint is what to do about hooks that take too long together.
const hooksTimeoutHint = "raise HooksTimeout of ApplyOptions or TestOptions, or have fewer hooks"

// createdHook is a hook as it runs.
type createdHook struct {
	target
	live *unstructured.Unstructured // as it was created; nil: it is not waited for, or was not created
}

// runHook runs one hook, and notes in its record how it went. ended is called
// when it has ended, before it may be deleted; nil: nothing is called.
func (r *run) runHook(ctx context.Context, h hook, event string, ended func(context.Context, createdHook)) error {
	policies := h.stored.DeletePolicies
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, r.opts.hooksTimeout()-r.state.hooksTook)
	defer cancel()
	defer func() { r.state.hooksTook += time.Since(begun) }()
	if limited.Err() != nil && ctx.Err() == nil {
		return &Error{Op: event + " hook", Key: r.p.Key, Object: shownAs(h.object, h.parsed.Unstructured), Hint: hooksTimeoutHint, Err: fmt.Errorf("not run: the hooks before it took %v, which all together may take", r.opts.hooksTimeout())}
	}
	if h.deletedBefore() {
		if err := r.deleteHook(limited, h); err != nil {
			return err
		}
	}
	t, err := r.hookTarget(limited, h)
	if err != nil {
		return err
	}
	h.stored.LastRun = storage.HookRun{StartedAt: begun, Phase: "Running"}
	r.e.events.emit(HookStarted{about(r.p.Key), shownAs(t.id, h.parsed.Unstructured), event})

	created, err := r.createHook(limited, t, h)

	h.stored.LastRun.CompletedAt = time.Now()
	h.stored.LastRun.Phase = "Succeeded"
	if err != nil {
		h.stored.LastRun.Phase = "Failed"
	}
	r.e.events.emit(HookEnded{about(r.p.Key), shownAs(created.id, h.parsed.Unstructured), event, time.Since(begun), err})
	if ended != nil {
		ended(ctx, created)
	}
	if err == nil {
		return nil
	}
	if slices.Contains(policies, string(render.HookFailed)) {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
		defer cancel()
		if err := r.deleteHook(end, h); err != nil {
			r.warnLeftBehind(err)
		}
	}
	failed := &Error{Op: event + " hook", Key: r.p.Key, Object: shownAs(created.id, h.parsed.Unstructured), Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		failed.Hint, failed.Err = inner.Hint, inner.Err
	}
	if limited.Err() != nil && ctx.Err() == nil {
		failed.Hint, failed.Err = hooksTimeoutHint, fmt.Errorf("all hooks together took longer than %v: %w", r.opts.hooksTimeout(), err)
	}
	return failed
}

// createHook creates the hook and waits until a Job or Pod has completed; other
// kinds are done when they exist, as with Helm.
func (r *run) createHook(ctx context.Context, t target, h hook) (createdHook, error) {
	out := createdHook{target: t}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	sent, again := resend.Count(ctx)
	client := r.e.cluster.Resource(t.mapping, t.id.Namespace)
	marked := withMetadata(normalized(h.parsed.Unstructured, nil), func(metadata map[string]any) {
		if mark(metadata, r.p.Key); t.id.Namespace == r.p.Key.Namespace {
			ownedBy(metadata, r.record.Owner)
		}
	})
	u, err := client.Create(sent, marked, metav1.CreateOptions{FieldManager: r.e.opts.FieldManager})
	if apierrors.IsAlreadyExists(err) && again.Load() > 0 {
		u, err = client.Get(ctx, t.id.Name, metav1.GetOptions{}) // created by a request whose response was lost
	}
	if err != nil {
		failed := r.redactedError(shownAs(t.id, h.parsed.Unstructured), "create hook", err)
		if apierrors.IsAlreadyExists(err) {
			failed.Hint = leftBehindHint
		}
		return out, failed
	}
	out.id.Name = u.GetName()
	h.parsed.SetName(u.GetName()) // of generateName: by it the hook is found to be deleted
	if !endsByItself(t) {
		return out, nil
	}
	out.live = u
	return out, r.wait(ctx, []readiness.Target{readinessTarget(out.target, u)}, r.completionOptions(), newWaitReporter(ctx, r, true))
}

// hookTarget locates a hook, and writes its namespace into it.
func (r *run) hookTarget(ctx context.Context, h hook) (target, error) {
	t, err := r.e.target(ctx, r.p.Key, h.parsed.Unstructured, h.parsed.Source)
	if err != nil {
		return target{}, err
	}
	if cluster.Namespaced(t.mapping) {
		h.parsed.SetNamespace(t.id.Namespace)
	}
	return t, nil
}

// leaves reports whether an object of the release leaves it by this plan.
func (r *run) leaves(o diff.Object) bool {
	return slices.ContainsFunc(r.w.steps, func(s step) bool {
		return s.change.Action == diff.Deleted && identity(s.object.id) == identity(o)
	})
}

// deleteHook deletes what an earlier run left, and waits until it is gone; it
// fails if that is no hook of the release. As
// with Helm, CRDs stay: all objects of their kinds would be deleted with them.
func (r *run) deleteHook(ctx context.Context, h hook) error {
	t, err := r.hookTarget(ctx, h)
	if err != nil || t.id.Name == "" || t.isDefinition() {
		return err // one with generateName has no name before it is created
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
	defer cancel()
	background := metav1.DeletePropagationBackground
	client := r.e.cluster.Resource(t.mapping, t.id.Namespace)
	live, err := client.Get(ctx, t.id.Name, metav1.GetOptions{})
	if err == nil {
		if why := notOurHook(r.p.Key, live, r.leaves(t.id)); why != "" {
			return &Error{Op: "delete hook", Key: r.p.Key, Object: t.id, Hint: "rename the hook, or delete the object first", Err: errors.New("a hook would replace an object: " + why)}
		}
		uid := live.GetUID()
		err = client.Delete(ctx, t.id.Name, metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid}})
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return r.redactedError(t.id, "delete hook", err)
	}
	if err := readiness.WaitGone(ctx, []readiness.Target{readinessTarget(t, live)}, r.e.waitOptions()); err != nil {
		return &Error{Op: "delete hook", Key: r.p.Key, Object: t.id, Err: notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err)}
	}
	return nil
}

// completionOptions wait for a Pod to succeed, where otherwise running is
// enough.
func (r *run) completionOptions() readiness.Options {
	o := r.waitOptions()
	rules := maps.Clone(o.Rules)
	if rules == nil {
		rules = map[schema.GroupKind]readiness.Rule{}
	}
	rules[schema.GroupKind{Kind: "Pod"}] = podCompletion
	o.Rules = rules
	return o
}

func podCompletion(u *unstructured.Unstructured) (readiness.Status, error) {
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
