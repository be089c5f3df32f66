package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	if errors.Is(failure, errInTransition) || errors.Is(failure, errRaced) {
		return failure
	}
	if err := r.noteDone(ctx, hooks[:done]); err != nil {
		return err
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
	// applied is live if this call has created it; nil: it may have changed since.
	applied *unstructured.Unstructured
}

// startHook makes room for the object of a hook that does not run yet, and notes that
// it runs, before it is created.
func (r *run) startHook(ctx context.Context, h hook, event string, note hookNote) (target, hookNote, error) {
	resumed := note.Phase == hookRunning
	if !resumed && h.deletedBefore() {
		if err := r.deleteHook(ctx, h); err != nil {
			return target{}, note, err
		}
	}
	t, err := r.hookTarget(ctx, h)
	if err != nil || resumed {
		return t, note, err
	}
	if r.passing && !h.deletedBefore() {
		if live, err := r.liveHook(ctx, t, t.id.Name); err != nil || live != nil {
			return t, note, cmp.Or(err, r.leftBehind(t, h))
		}
	}
	note.HookRun = storage.HookRun{StartedAt: time.Now(), Phase: hookRunning}
	h.stored.LastRun = note.HookRun
	if err := r.noteHook(ctx, hookID(event, h), note); err != nil {
		return t, note, err
	}
	r.e.events.emit(HookStarted{about(r.p.Key), shownAs(t.id, h.parsed.Unstructured), event})
	return t, note, nil
}

// runHook runs one hook, and notes in its record how it went. ended is called
// when it has ended, before it may be deleted; nil: nothing is called.
func (r *run) runHook(ctx context.Context, h hook, event string, ended func(context.Context, createdHook)) error {
	policies := h.stored.DeletePolicies
	id := hookID(event, h)
	note := r.notes.hook(id)
	if note.Phase == hookSucceeded {
		return nil
	}
	if note.Phase == hookFailed {
		return &Error{Op: event + " hook", Key: r.p.Key, Object: shownAs(h.object, h.parsed.Unstructured), Err: errHookFailed}
	}
	left := r.opts.hooksTimeout() - r.notes.hooksTook()
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	if limited.Err() != nil && ctx.Err() == nil {
		return &Error{Op: event + " hook", Key: r.p.Key, Object: shownAs(h.object, h.parsed.Unstructured), Hint: hooksTimeoutHint, Err: fmt.Errorf("not run: the hooks before it took %v, which all together may take", r.opts.hooksTimeout())}
	}
	resumed := note.Phase == hookRunning
	t, note, err := r.startHook(limited, h, event, note)
	if err != nil {
		return err
	}
	created, err := r.hookCreated(limited, t, h, note, resumed)
	if err == nil {
		err = r.awaitHook(limited, created, id, min(left, r.opts.timeout()))
	}
	if r.passing && r.staysPending(ctx, err) {
		return err // the next pass goes on with it
	}
	if r.staysPending(ctx, err) {
		r.e.events.emit(HookEnded{about(r.p.Key), shownAs(created.id, h.parsed.Unstructured), event, time.Since(note.StartedAt), err})
		return err
	}
	note.CompletedAt, note.Phase = time.Now(), hookSucceeded
	if err != nil {
		note.Phase = hookFailed
	}
	h.stored.LastRun = note.HookRun
	r.notes.setHook(id, note)
	r.e.events.emit(HookEnded{about(r.p.Key), shownAs(created.id, h.parsed.Unstructured), event, note.CompletedAt.Sub(note.StartedAt), err})
	if ended != nil {
		ended(ctx, created)
	}
	if err == nil {
		return nil
	}
	if slices.Contains(policies, string(render.HookFailed)) {
		if r.passing {
			if err := r.saveNotes(ctx); err != nil {
				return err
			}
		}
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

// errHookFailed: the failure of a hook was noted, and then not recorded.
var errHookFailed = errors.New("it failed, and the process ended before it could say why")

// noteHook notes that a hook runs, before it is created. A pass writes that into
// the revision at once, because another process may go on from there.
func (r *run) noteHook(ctx context.Context, id string, note hookNote) error {
	r.notes.setHook(id, note)
	if !r.passing {
		return nil
	}
	return r.saveNotes(ctx)
}

// hooksDone reports whether all hooks have succeeded that come before the objects:
// the plan has those that have not.
func (r *run) hooksDone() bool {
	return r.opts.NoHooks || !slices.ContainsFunc(r.p.Hooks, func(h PlannedHook) bool { return strings.HasPrefix(h.Event, "pre-") })
}

// noteDone writes into the revision that hooks have succeeded, before any of them is
// deleted, since another process may go on from there.
func (r *run) noteDone(ctx context.Context, done []hook) error {
	deletes := func(h hook) bool { return slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) }
	if !r.passing || !slices.ContainsFunc(done, deletes) {
		return nil
	}
	return r.saveNotes(ctx)
}

// hookCreated creates the hook. If the run was noted by an earlier pass, it may be
// there: before the note it was not.
func (r *run) hookCreated(ctx context.Context, t target, h hook, note hookNote, resumed bool) (createdHook, error) {
	if resumed {
		live, err := r.liveHook(ctx, t, cmp.Or(t.id.Name, note.Name))
		if err != nil {
			return createdHook{target: t}, err
		}
		if live != nil && notOurHook(r.p.Key, live, false) == "" {
			return r.asCreated(t, h, live), nil
		}
		if live == nil && note.UID != "" { // deleted by its TTL, or by another client: the wait finds out which
			seen := h.parsed.DeepCopy()
			seen.SetName(note.Name)
			seen.SetUID(note.UID)
			return r.asCreated(t, h, seen), nil
		}
	}
	return r.createHook(ctx, t, h)
}

// liveHook reads a hook; nil if there is none.
func (r *run) liveHook(ctx context.Context, t target, name string) (*unstructured.Unstructured, error) {
	if name == "" {
		return nil, nil
	}
	live, err := r.e.cluster.Resource(t.mapping, t.id.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, r.redactedError(t.id, "read hook", err)
	}
	return live, nil
}

// leftBehind is the error of a hook that exists before it is created.
func (r *run) leftBehind(t target, h hook) error {
	return &Error{
		Op: "create hook", Key: r.p.Key, Object: shownAs(t.id, h.parsed.Unstructured), Hint: leftBehindHint,
		Err: apierrors.NewAlreadyExists(t.mapping.Resource.GroupResource(), t.id.Name),
	}
}

// createHook creates the hook. Only a Job or Pod has to complete; other kinds are
// done when they exist, as with Helm.
func (r *run) createHook(ctx context.Context, t target, h hook) (createdHook, error) {
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
		return createdHook{target: t}, failed
	}
	r.wrote.Store(true)
	created := r.asCreated(t, h, u)
	created.applied = created.live
	return created, nil
}

// asCreated is a hook with its live object.
func (r *run) asCreated(t target, h hook, live *unstructured.Unstructured) createdHook {
	out := createdHook{target: t}
	out.id.Name = live.GetName()
	h.parsed.SetName(live.GetName()) // of generateName: by it the hook is found to be deleted
	if endsByItself(t) {
		out.live = live
	}
	return out
}

// awaitHook waits until a Job or Pod has completed.
func (r *run) awaitHook(ctx context.Context, created createdHook, id string, timeout time.Duration) error {
	if created.live == nil {
		return nil
	}
	if note := r.notes.hook(id); note.UID == "" {
		note.Name, note.UID = created.id.Name, created.live.GetUID()
		r.notes.setHook(id, note)
	}
	o := r.completionOptions()
	t := readinessTarget(created.target, created.live)
	t.Applied = created.applied
	return r.waitAs(ctx, "hook "+id, timeout, []readiness.Target{t}, o, newWaitReporter(ctx, r, true))
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
	if err := r.waitGoneFor(ctx, []readiness.Target{readinessTarget(t, live)}); err != nil {
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
