package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// transition is what a pass would have to wait for. It is safe for concurrent use.
type transition struct {
	mu      sync.Mutex
	waiting []Diagnosis
	after   time.Duration // until another look can find anything else; 0: not known
}

func (t *transition) add(objects []Diagnosis, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range objects {
		if !slices.ContainsFunc(t.waiting, func(have Diagnosis) bool { return have.Object == d.Object }) {
			t.waiting = append(t.waiting, d)
		}
	}
	if after > 0 && (t.after == 0 || after < t.after) {
		t.after = after
	}
}

// readyAsRead judges by what the pass itself has read and written, without a
// request: nil if everything is ready, and errInTransition if only what the pass has
// just written is not yet, of which nothing else can be said so early. known is
// false where a look is needed.
func (r *run) readyAsRead(ctx context.Context) (known bool, err error) {
	var result readiness.Result
	var waiting []Diagnosis
	for s, live := range r.awaited() {
		st := readiness.Assess(live, r.e.rules)
		switch {
		case st.State == readiness.Ready:
			result.Objects = append(result.Objects, readiness.Outcome{Target: readinessTarget(s.object.target, live), Status: st})
		case st.State == readiness.Progressing && s.change.Changed():
			waiting = append(waiting, Diagnosis{Object: s.object.id, State: StateProgressing, Reason: st.Reason, Message: r.w.redactor.String(st.Message), Ready: st.Ready, Updated: st.Updated, Desired: st.Desired})
		default:
			return false, nil
		}
	}
	newWaitReporter(ctx, r, false).end(result, nil)
	if len(waiting) == 0 {
		r.notes.setWait("ready", nil)
		return true, nil
	}
	if r.notes.wait("ready").Since.IsZero() {
		r.notes.setWait("ready", &readiness.Memory{Since: time.Now().UTC().Truncate(time.Millisecond)})
	}
	r.transit.add(waiting, 0)
	return true, errInTransition
}

// look judges targets once, with what earlier passes have observed of them. It
// returns nil if all are ready, errInTransition while they may become so, and
// otherwise what waiting returns.
func (r *run) look(ctx context.Context, name string, timeout time.Duration, targets []readiness.Target, o readiness.Options, reporter *waitReporter) error {
	o.OnUpdate = reporter.update
	result, seen, after, err := readiness.Look(ctx, targets, o, r.notes.wait(name), timeout)
	if err == nil {
		r.notes.setWait(name, nil)
		reporter.end(result, nil)
		return nil
	}
	failed := notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err)
	if !errors.Is(err, readiness.ErrInProgress) {
		reporter.end(result, failed)
		return failed
	}
	r.notes.setWait(name, &seen)
	r.inTransition(failed, after)
	return errInTransition
}

// lookGone returns nil if objects are gone, and errInTransition if they are not.
func (r *run) lookGone(ctx context.Context, targets []readiness.Target) error {
	err := readiness.LookGone(ctx, targets, r.e.waitOptions())
	if errors.Is(err, readiness.ErrInProgress) {
		r.inTransition(notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err), 0)
		return errInTransition
	}
	return err
}

// unready are the objects of the revision that are not ready, with the cause. If all
// that planning has read is ready, it takes no request.
func (r *run) unready(ctx context.Context) ([]Diagnosis, error) {
	var targets []readiness.Target
	for s, live := range r.awaited() {
		if st := readiness.Assess(live, r.e.rules).State; st != readiness.Ready && st != readiness.Unknown {
			targets = append(targets, r.e.waitTarget(ctx, s.object.target, live))
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	_, _, _, err := readiness.Look(ctx, targets, r.e.waitOptions(), readiness.Memory{}, time.Hour)
	if err == nil {
		return nil, nil
	}
	err = notReady(r.p.Key, r.record.Revision, r.texts.in(ctx), err)
	var not *NotReadyError
	if errors.As(err, &not) {
		return not.Objects, nil
	}
	return nil, err
}

// inTransition keeps what the pass would have to wait for.
func (r *run) inTransition(err error, after time.Duration) {
	var not *NotReadyError
	if errors.As(err, &not) {
		r.transit.add(not.Objects, after)
	}
}
