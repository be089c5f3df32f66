package readiness

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Diagnose looks at one object now, whenever it was deployed, and says how it
// is and why. Only a failure to read the object itself is an error; an absent
// object is a diagnosis. o.OnUpdate and o.Policy are not used.
func Diagnose(ctx context.Context, t Target, o Options) (Diagnosis, error) {
	if err := o.check([]Target{t}); err != nil {
		return Diagnosis{}, err
	}
	var res dynamic.ResourceInterface = o.Client.Resource(t.GVR)
	if t.Namespace != "" {
		res = o.Client.Resource(t.GVR).Namespace(t.Namespace)
	}
	obj, err := res.Get(ctx, t.Name, metav1.GetOptions{})
	var st Status
	switch {
	case apierrors.IsNotFound(err):
		obj = nil
		st = Status{State: Failed, Reason: "NotFound", Message: "the object does not exist"}
	case err != nil:
		return Diagnosis{}, fmt.Errorf("readiness: reading %s: %w", t, err)
	default:
		st = assessWith(obj, o.Rules)
	}
	v, read := newView(), &reader{ctx: ctx, o: o}
	if obj != nil && st.State != Ready && t.Namespace != "" {
		for _, gvr := range []schema.GroupVersionResource{podsGVR, replicaSetsGVR} {
			if !ownsPods(t) {
				break
			}
			if list, err := o.Client.Resource(gvr).Namespace(t.Namespace).List(ctx, metav1.ListOptions{}); err == nil {
				v.replace(gvr, list.Items)
			}
		}
		read.warnings(t.Namespace, v)
	}
	var troubles []trouble
	if st.State != Ready && st.State != Unknown || obj != nil && !t.matches(obj) {
		troubles = troublesOf(v, t, obj, st)
	}
	d := describe(v, t, obj, st, troubles)
	if d.State != Ready && d.State != Unknown {
		read.enrich(&d, obj)
	}
	return d, nil
}

// WaitGone returns when none of the targets exists any more. A target that
// was replaced by another object of its name counts as gone. If ctx ends
// before, the error is a *NotGone.
func WaitGone(ctx context.Context, targets []Target, o Options) error {
	if err := o.check(targets); err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	w := newWaiter(run, nil, o)
	left := map[identity]Target{}
	for _, t := range targets {
		left[t.identity()] = t
		w.byName[t.identity()] = []*tracked{{Target: t}}
	}
	defer func() { cancel(); w.group.Wait(); w.post.close() }()
	w.start()
	last := map[identity]*unstructured.Unstructured{}
	for len(left) > 0 {
		select {
		case <-ctx.Done():
			return stillThere(left, last, time.Since(w.began), ended(ctx, w.broken))
		case n := <-w.notes:
			delete(w.broken, n.feed)
			switch {
			case n.fatal != nil:
				// A kind that is not served any more has no objects.
				if !apierrors.IsNotFound(n.fatal) {
					return stillThere(left, last, time.Since(w.began), n.fatal)
				}
				for id := range left {
					if id.GroupVersionResource == n.feed.gvr && id.Namespace == n.feed.namespace {
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
					if id.GroupVersionResource != n.feed.gvr || id.Namespace != n.feed.namespace ||
						n.feed.selector != "" && n.feed.selector != "metadata.name="+id.Name {
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

// NotGone says which objects were not deleted, and what holds them.
type NotGone struct {
	Objects []Diagnosis
	Waited  time.Duration
	Err     error // why the wait ended
}

func (e *NotGone) Unwrap() error { return e.Err }

func (e *NotGone) Error() string {
	s := fmt.Sprintf("%d objects are still there after %v", len(e.Objects), e.Waited.Round(100*time.Millisecond))
	if !errors.Is(e.Err, context.DeadlineExceeded) {
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
