package readiness

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrInProgress is why a look ended without an outcome: nothing is ready yet, and
// nothing has failed.
var ErrInProgress = errors.New("it is in progress")

// Memory is what looks at the same targets have observed so far, as JSON has it:
// with it a look goes on where another one ended, in any process. The zero value
// begins.
type Memory struct {
	// Since is when the first look was.
	Since time.Time `json:"since,omitzero"`
	// Targets are those that are in trouble or say nothing of themselves.
	Targets map[string]TargetMemory `json:"targets,omitempty"`
}

// TargetMemory is what was observed of one target.
type TargetMemory struct {
	Since time.Time `json:"since,omitzero"` // first read
	Moved time.Time `json:"moved,omitzero"` // last progress
	// Ready and Updated are the counts of Status.
	Ready   int `json:"ready,omitempty"`
	Updated int `json:"updated,omitempty"`
	// Troubles are those that last.
	Troubles map[string]Sighting `json:"troubles,omitempty"`
}

// Sighting is when a trouble was seen. Last is set if it no longer is, which a
// container that keeps crashing may only seem to be.
type Sighting struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last,omitzero"`
}

// Look judges all targets once, as Wait does, from one list of each kind and
// namespace, and watches nothing. It returns nil if all are ready. A *NotReady
// unwraps to ErrInProgress as long as o.Limits, counted from what was observed
// before, allow to wait longer. Any other error means that it was not possible to
// look. With the first look longer ago than limit, the error is final and unwraps to
// context.DeadlineExceeded. next is what the next look begins with, and after how
// long its result can differ without any change in the cluster.
func Look(ctx context.Context, targets []Target, o Options, seen Memory, limit time.Duration) (r Result, next Memory, after time.Duration, err error) {
	if err := o.check(targets); err != nil {
		return Result{}, seen, 0, err
	}
	o.Logs = o.Logs.within(lookLogsWithin)
	run, cancel := context.WithCancel(ctx)
	w := newWaiter(run, targets, o)
	w.once = true
	w.recall(seen)
	defer func() { cancel(); w.group.Wait(); w.post.close() }()
	w.start()
	for {
		if w.running == 0 {
			if w.explain(time.Now()); w.running == 0 {
				break
			}
		}
		select {
		case <-ctx.Done():
			return w.result(), seen, 0, context.Cause(ctx)
		case n := <-w.notes:
			if n.fatal != nil && !n.feed.auxiliary && !w.narrow(n) {
				return w.result(), seen, 0, n.fatal
			}
			w.take(n)
		}
	}
	now := time.Now()
	switch {
	case w.settled(now):
	case w.failed(now):
		err = w.notReady(ctx, nil)
	case now.Sub(w.began) >= limit:
		if !w.onlySilent() {
			err = w.notReady(ctx, context.DeadlineExceeded)
		}
	default:
		err = w.notReady(ctx, ErrInProgress)
		after = min(w.nextLook(now), limit-now.Sub(w.began))
	}
	return w.result(), w.remember(), after, err
}

// recall makes the waiter go on from what was observed before.
func (w *waiter) recall(seen Memory) {
	if seen.Since.IsZero() || seen.Since.After(w.began) { // another clock, or a forged one
		return
	}
	w.began = seen.Since
	for _, tr := range w.all {
		m, ok := seen.Targets[memoryKey(tr.Target)]
		tr.moved = seen.Since
		if !ok {
			continue
		}
		tr.since, tr.status.Ready, tr.status.Updated = m.Since, m.Ready, m.Updated
		if m.Moved.After(tr.moved) {
			tr.moved = m.Moved
		}
		for key, s := range m.Troubles {
			tr.seen[key] = &sighting{first: s.First, last: s.Last}
			if s.Last.IsZero() {
				tr.seen[key].last = time.Now()
			}
		}
	}
}

// remember is what the next look needs to know. Of targets that only progress it
// is nothing, unless another one keeps crashing: that has more time while
// anything else makes progress.
func (w *waiter) remember() Memory {
	m := Memory{Since: w.began.UTC().Truncate(time.Millisecond), Targets: map[string]TargetMemory{}}
	now, crashes := time.Now(), false
	for _, tr := range w.all {
		for key, s := range tr.seen {
			switch lasts := slices.ContainsFunc(tr.troubles, func(t trouble) bool { return t.key == key }); {
			case !lasts && (!isCrashKey(key) || now.Sub(s.last) > crashMemory):
				delete(tr.seen, key)
			default:
				crashes = crashes || isCrashKey(key)
			}
		}
	}
	for _, tr := range w.all {
		if tr.status.State == Ready || !crashes && len(tr.seen) == 0 && tr.status.State != Unknown {
			continue
		}
		t := TargetMemory{Since: rounded(tr.since)}
		if crashes {
			t.Moved, t.Ready, t.Updated = rounded(tr.moved), tr.status.Ready, tr.status.Updated
		}
		for key, s := range tr.seen {
			if t.Troubles == nil {
				t.Troubles = map[string]Sighting{}
			}
			seen := Sighting{First: rounded(s.first)}
			if !slices.ContainsFunc(tr.troubles, func(t trouble) bool { return t.key == key }) {
				seen.Last = rounded(s.last)
			}
			t.Troubles[key] = seen
		}
		m.Targets[memoryKey(tr.Target)] = t
	}
	return m
}

// rounded is a time as it is remembered, so that it is the same when it was read
// back.
func rounded(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func memoryKey(t Target) string {
	return t.GVR.GroupResource().String() + "/" + t.Namespace + "/" + t.Name
}
