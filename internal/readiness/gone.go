package readiness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// WaitGone returns when all of the targets are deleted. A target that was
// replaced by another object of its name counts as deleted. If ctx ends first,
// the error is a *NotGone.
func WaitGone(ctx context.Context, targets []Target, o Options) error {
	return gone(ctx, targets, o, false)
}

// LookGone is WaitGone without waiting: if any target is still there, the error
// is a *NotGone that unwraps to ErrInProgress.
func LookGone(ctx context.Context, targets []Target, o Options) error {
	return gone(ctx, targets, o, true)
}

func gone(ctx context.Context, targets []Target, o Options, once bool) error {
	if err := o.check(targets); err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	w := newWaiter(run, nil, o)
	w.once = once
	left := map[identity]Target{}
	for _, t := range targets {
		left[t.identity()] = t
		w.byName[t.identity()] = []*tracked{{Target: t}}
	}
	defer func() { cancel(); w.group.Wait(); w.post.close() }()
	w.start()
	last := map[identity]*unstructured.Unstructured{}
	for len(left) > 0 {
		if once && w.running == 0 {
			return stillThere(left, last, 0, ErrInProgress)
		}
		select {
		case <-ctx.Done():
			return stillThere(left, last, time.Since(w.began), ended(ctx, w.broken))
		case n := <-w.notes:
			delete(w.broken, n.feed)
			switch {
			case n.ended:
				w.running--
			case n.fatal != nil:
				if w.narrow(n) {
					continue
				}
				// A kind that is no longer served has no objects.
				if !apierrors.IsNotFound(n.fatal) {
					return stillThere(left, last, time.Since(w.began), n.fatal)
				}
				for id := range left {
					if n.feed.concerns(id) {
						delete(left, id)
					}
				}
			case n.trouble != nil:
				w.broken[n.feed] = n.trouble
			case n.listed != nil:
				present := map[identity]*unstructured.Unstructured{}
				for i := range n.listed.Items {
					present[w.idOf(n.feed, &n.listed.Items[i])] = &n.listed.Items[i]
				}
				for id, t := range left {
					if !n.feed.concerns(id) {
						continue
					}
					last[id] = present[id]
					if present[id] == nil || !t.matches(present[id]) {
						delete(left, id)
					}
				}
			case n.changed != nil:
				id := w.idOf(n.feed, n.changed)
				last[id] = n.changed
				if t, ok := left[id]; ok && !t.matches(n.changed) {
					delete(left, id)
				}
			case n.deleted != nil:
				id := w.idOf(n.feed, n.deleted)
				if t, ok := left[id]; ok && t.matches(n.deleted) {
					delete(left, id)
				}
			}
		}
	}
	return nil
}

// NotGone is returned by WaitGone and lists the objects that still exist, and why.
type NotGone struct {
	Objects []Diagnosis
	Waited  time.Duration
	Err     error // why the wait ended
}

func (e *NotGone) Unwrap() error { return e.Err }

func (e *NotGone) Error() string {
	s := counted(len(e.Objects), "object still exists", "objects still exist")
	if e.Waited > 0 {
		s += fmt.Sprintf(" after %v", e.Waited.Round(100*time.Millisecond))
	}
	if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, ErrInProgress) {
		s += ": " + e.Err.Error()
	}
	for _, d := range e.Objects {
		s += fmt.Sprintf("\n%s: %s", d.object(), d.Message)
		if d.Hint != "" {
			s += "\n  try: " + d.Hint
		}
	}
	return s
}

// stillThere returns the error for the objects that were not deleted in time.
func stillThere(left map[identity]Target, last map[identity]*unstructured.Unstructured, waited time.Duration, why error) error {
	e := &NotGone{Waited: waited, Err: why}
	var targets []Target
	for _, t := range left {
		targets = append(targets, t)
	}
	slices.SortFunc(targets, compareTargets)
	for _, t := range targets {
		d := Diagnosis{Kind: t.Kind, Group: t.GVR.Group, Version: t.GVR.Version, Namespace: t.Namespace, Name: t.Name, State: Progressing, Reason: "Exists"}
		obj := last[t.identity()]
		switch {
		case obj == nil:
			d.State, d.Reason, d.Message = Unknown, "NotSeen", "it is unknown whether it still exists"
		case obj.GetDeletionTimestamp() == nil:
			d.Message = "it was not deleted, or was created again"
			d.Hint = "delete it"
		default:
			st := terminating(obj)
			d.Reason, d.Message = st.Reason, st.Message
			d.Hint = deletionHint(obj)
		}
		e.Objects = append(e.Objects, d)
	}
	return e
}

func deletionHint(obj *unstructured.Unstructured) string {
	fs := obj.GetFinalizers()
	switch {
	case slices.Contains(fs, "kubernetes.io/pvc-protection"):
		return "a pod still uses the claim: it is deleted once the pod is"
	case slices.Contains(fs, "foregroundDeletion"):
		return "it is deleted once the objects that it owns are"
	case obj.GetKind() == "Namespace":
		var messages []string
		for _, kind := range []string{"NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionDiscoveryFailure"} {
			if c, ok := conditionOf(obj, kind); ok && c.isTrue() {
				messages = append(messages, c.Message)
			}
		}
		return strings.Join(messages, "; ")
	case len(fs) > 0:
		return "check that the controller that removes the finalizer is running"
	}
	return ""
}
