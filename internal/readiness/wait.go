package readiness

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Wait returns nil as soon as all targets are ready at the same time, and a
// *NotReady as soon as one of them will not become ready by o.Limits, or ctx
// ends. Any other error means that the options or targets are invalid. The
// result holds the last known status of every target in either case.
//
// No goroutine and no request outlives the call.
func Wait(ctx context.Context, targets []Target, o Options) (Result, error) {
	if err := o.check(targets); err != nil {
		return Result{}, err
	}
	run, cancel := context.WithCancel(ctx)
	w := newWaiter(run, targets, o)
	w.start()
	err := w.loop(ctx)
	cancel()
	w.group.Wait()
	w.post.close()
	return w.result(), err
}

// tracked is a target and what is known of it.
type tracked struct {
	Target
	obj      *unstructured.Unstructured
	known    bool // the first list was received, or none is needed
	finished bool // it was ready for good, and was deleted since
	ending   *ending
	status   Status
	troubles []trouble
	seen     map[string]*sighting
	since    time.Time // when the object was first read
	moved    time.Time // last progress
	reported string    // the last update, to send each once
}

// sighting is when a trouble was seen.
type sighting struct {
	first time.Time
	last  time.Time
}

// oldAge is more than the expected clock skew between client and cluster.
const oldAge = 10 * time.Second

// crashMemory is how long a crash loop is remembered while its container runs:
// it runs between the crashes.
const crashMemory = time.Minute

// waiter is owned by the goroutine of Wait; the others only send notes.
type waiter struct {
	ctx     context.Context
	o       Options
	once    bool // nothing is watched
	running int  // how much runs in the background
	limits  Limits
	all     []*tracked
	byName  map[identity][]*tracked
	spaces  map[string]*space
	notes   chan note
	group   sync.WaitGroup
	post    *mailbox
	began   time.Time
	broken  map[*feed]error // feeds that are interrupted
	classes map[string]*class
	claims  map[types.UID]*podClaims // by pod
	logs    map[string][]string      // of crashing containers, by trouble; nil: requested
}

// space is a namespace and what is watched there apart from the targets.
type space struct {
	view    *view
	workers bool                                 // pods are watched
	sets    bool                                 // ReplicaSets are watched
	events  bool                                 // warnings are watched
	listed  map[schema.GroupVersionResource]bool // what these watches have listed
}

func newWaiter(ctx context.Context, targets []Target, o Options) *waiter {
	now := time.Now()
	w := &waiter{
		ctx: ctx, o: o, limits: o.Limits, began: now,
		byName: map[identity][]*tracked{}, spaces: map[string]*space{},
		notes: make(chan note), broken: map[*feed]error{}, classes: map[string]*class{}, claims: map[types.UID]*podClaims{},
		logs: map[string][]string{},
		post: newMailbox(o.OnUpdate),
	}
	for _, t := range targets {
		tr := &tracked{Target: t, seen: map[string]*sighting{}, moved: now}
		if t.mayChange(o.Rules) {
			tr.obj, tr.known = t.Applied, t.Applied != nil
			if tr.known {
				tr.since = now
			}
			tr.status = Status{State: Progressing, Reason: ReasonNotSeen, Message: "not read yet"}
			w.byName[t.identity()] = append(w.byName[t.identity()], tr)
		} else {
			tr.known, tr.status = true, Status{State: Ready, Reason: "Exists"}
		}
		w.all = append(w.all, tr)
		if w.spaces[t.Namespace] == nil {
			w.spaces[t.Namespace] = &space{view: newView(), listed: map[schema.GroupVersionResource]bool{}}
		}
	}
	return w
}

func (w *waiter) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for _, tr := range w.all {
		w.report(tr)
	}
	for {
		now := time.Now()
		if w.settled(now) {
			return nil
		}
		if w.failed(now) {
			return w.notReady(ctx, nil)
		}
		w.explain(now)
		timer.Reset(w.nextLook(now))
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) && w.onlySilent() {
				return nil // waiting longer would report nothing about them
			}
			return w.notReady(ctx, ended(ctx, w.broken))
		case n := <-w.notes:
			if n.fatal != nil && !n.feed.auxiliary && !w.narrow(n) {
				return w.notReady(ctx, n.fatal)
			}
			w.take(n)
		case <-timer.C:
			for _, tr := range w.all {
				w.judge(tr)
			}
		}
	}
}

// ended returns why the wait was cut short: the context's error, what the caller
// gave as its cause, and a watch that was interrupted at that moment.
func ended(ctx context.Context, broken map[*feed]error) error {
	errs := []error{ctx.Err()}
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		errs = []error{cause, ctx.Err()}
	}
	for f, err := range broken {
		if !f.auxiliary {
			errs = append(errs, err)
			break
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// take processes one note and updates the targets that it concerns.
func (w *waiter) take(n note) {
	if n.ended {
		w.running--
		return
	}
	if n.learned != nil {
		n.learned()
		for _, tr := range w.all {
			w.judge(tr)
		}
		return
	}
	delete(w.broken, n.feed)
	switch {
	case n.trouble != nil:
		w.broken[n.feed] = n.trouble
	case n.fatal != nil:
		// Pods or events may not be watched: go on without early diagnosis.
	case n.feed.auxiliary:
		w.takeAuxiliary(n)
	case n.listed != nil:
		present := map[identity]*unstructured.Unstructured{}
		for i := range n.listed.Items {
			obj := &n.listed.Items[i]
			present[w.idOf(n.feed, obj)] = obj
		}
		for id, trs := range w.byName {
			if !n.feed.concerns(id) {
				continue
			}
			for _, tr := range trs {
				w.update(tr, present[id])
			}
		}
	case n.changed != nil:
		for _, tr := range w.byName[w.idOf(n.feed, n.changed)] {
			if !tr.isBefore(n.changed) {
				w.update(tr, n.changed)
			}
		}
	case n.deleted != nil:
		for _, tr := range w.byName[w.idOf(n.feed, n.deleted)] {
			// The deletion of an object that was replaced may come late.
			if tr.obj != nil && tr.obj.GetUID() != n.deleted.GetUID() || tr.isBefore(n.deleted) {
				continue
			}
			w.remove(tr, n.deleted)
		}
	}
}

func (w *waiter) idOf(f *feed, obj *unstructured.Unstructured) identity {
	return identity{f.gvr, types.NamespacedName{Namespace: f.namespace, Name: obj.GetName()}}
}

func withoutDeletion(obj *unstructured.Unstructured) *unstructured.Unstructured {
	c := obj.DeepCopy()
	c.SetDeletionTimestamp(nil)
	return c
}

func (w *waiter) update(tr *tracked, obj *unstructured.Unstructured) {
	if obj == nil && tr.obj != nil && endsByItself(tr.Target) && tr.assess(withoutDeletion(tr.obj), w.o.Rules).State == Ready {
		w.remove(tr, tr.obj) // its deletion was missed
		return
	}
	tr.known, tr.obj = true, obj
	if tr.since.IsZero() {
		tr.since = time.Now()
	}
	w.judge(tr)
}

func (w *waiter) takeAuxiliary(n note) {
	v := w.spaces[n.feed.namespace].view
	gvr := n.feed.gvr
	if n.listed != nil {
		w.spaces[n.feed.namespace].listed[gvr] = true
		v.replace(gvr, n.listed.Items)
		for _, tr := range w.all {
			if tr.Namespace == n.feed.namespace {
				w.judge(tr)
			}
		}
		return
	}
	obj := cmp.Or(n.changed, n.deleted)
	if obj == nil {
		return
	}
	// Before and after: the change may remove the object from a family.
	roots := v.roots(gvr, obj)
	if n.deleted != nil {
		v.remove(gvr, obj.GetUID())
	} else {
		v.put(gvr, obj)
		roots = append(roots, v.roots(gvr, obj)...)
	}
	for _, tr := range w.all {
		if tr.obj != nil && slices.Contains(roots, tr.obj.GetUID()) {
			w.judge(tr)
		}
	}
}

// judge updates status and troubles of one target and reports a change.
func (w *waiter) judge(tr *tracked) {
	if !tr.known || tr.finished || w.byName[tr.identity()] == nil {
		return
	}
	now := time.Now()
	was := tr.status
	switch {
	case tr.obj == nil && tr.EndsByTTL:
		tr.status = w.endingOf(tr)
	case tr.obj == nil:
		tr.status = notFound(was.Desired)
	case tr.Generation > 0 && tr.obj.GetGeneration() < tr.Generation:
		// A resumed watch sends older events before the newest.
		tr.status = Status{State: Progressing, Reason: "NotObserved", Message: "the cluster shows an earlier generation", Desired: was.Desired}
	default:
		tr.status = tr.assess(tr.obj, w.o.Rules)
		if isClaim(tr.Target) && tr.status.Reason == "Unbound" {
			tr.status = w.claimStatus(tr.obj, tr.status)
		}
	}
	if tr.status.State != was.State && tr.status.State == Ready || tr.status.Ready > was.Ready || tr.status.Updated > was.Updated {
		tr.moved = now
	}
	tr.troubles = nil
	replaced := false
	if tr.obj != nil {
		_, replaced = tr.displaced(tr.obj)
	}
	if tr.status.State == Progressing || tr.status.State == Failed || replaced {
		tr.troubles = troublesOf(w.spaces[tr.Namespace].view, tr.Target, tr.obj, tr.status)
		if isClaim(tr.Target) && tr.obj != nil {
			tr.troubles = append(tr.troubles, w.claimTroubles(tr)...)
		}
		w.explainClaims(tr)
		if replaced {
			tr.status = Status{State: Failed, Reason: tr.troubles[0].reason, Message: tr.troubles[0].message}
		}
	}
	for _, t := range tr.troubles {
		if s := tr.seen[t.key]; s != nil {
			s.last = now
		} else {
			tr.seen[t.key] = &sighting{first: now, last: now}
		}
	}
	for key, s := range tr.seen {
		if s.last.Equal(now) || w.once { // until everything was listed
			continue
		}
		if !isCrashKey(key) || now.Sub(s.last) > crashMemory {
			delete(tr.seen, key)
		}
	}
	w.report(tr)
}

// settled reports whether nothing is left to wait for.
func (w *waiter) settled(now time.Time) bool {
	for _, tr := range w.all {
		if !w.done(tr, now) {
			return false
		}
	}
	return true
}

func (w *waiter) done(tr *tracked, now time.Time) bool {
	if !tr.known {
		return false
	}
	switch tr.status.State {
	case Ready:
		return true
	case Unknown:
		return w.limits.Unknown >= 0 && now.Sub(tr.silentSince()) >= w.limits.Unknown
	}
	return false
}

// silentSince returns since when an object has had no status. For one that was
// created long ago that is its creation: no controller will write one now.
func (tr *tracked) silentSince() time.Time {
	if tr.obj == nil {
		return tr.since
	}
	if created := tr.obj.GetCreationTimestamp().Time; !created.IsZero() && created.Before(tr.since.Add(-oldAge)) {
		return created
	}
	return tr.since
}

// onlySilent reports whether the wait is only for objects without a status, so
// that it may go on without them.
func (w *waiter) onlySilent() bool {
	for _, tr := range w.all {
		silent := tr.known && tr.status.State == Unknown && w.limits.Unknown >= 0
		if !silent && !(tr.known && tr.status.State == Ready) {
			return false
		}
	}
	return true
}

func (w *waiter) result() Result {
	var r Result
	for _, tr := range w.all {
		r.Objects = append(r.Objects, Outcome{Target: tr.Target, Status: tr.status})
	}
	return r
}
