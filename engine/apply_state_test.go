package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
)

// recordedRun is a run without a cluster; events returns the lines of what it
// has emitted.
func recordedRun(t *testing.T, steps ...step) (r *run, events func() []string) {
	t.Helper()
	var lines []string
	e := &Engine{events: emitter{dispatcher: newDispatcher(func(e Event) { lines = append(lines, e.String()) })}}
	r = newRun(e, &Plan{work: &work{steps: steps}}, ApplyOptions{}, nil)
	return r, func() []string { e.events.drain(); return lines }
}

func claim(name string, a diff.Action) diff.Change {
	return diff.Change{Object: diff.Object{Kind: "PersistentVolumeClaim", Name: name}, Action: a, Reason: "its data stays"}
}

// The claims of a StatefulSet have their terminal events after its own, each
// one, whatever it is.
func TestRelatedChangesFollowTheirObject(t *testing.T) {
	set := stepOf("StatefulSet", "db", diff.Updated, claim("data-0", diff.Updated), claim("data-1", diff.Kept))
	id := set.object.id
	for name, c := range map[string]struct {
		event Event
		want  []string
	}{
		"applied": {Applied{Object: id, Action: diff.Updated}, []string{"Updated StatefulSet db", "Updated PersistentVolumeClaim data-0", "Kept PersistentVolumeClaim data-1: its data stays"}},
		"kept":    {Kept{Object: id, Reason: "x"}, []string{"Kept StatefulSet db: x", "Updated PersistentVolumeClaim data-0", "Kept PersistentVolumeClaim data-1: its data stays"}},
		"skipped": {Skipped{Object: id, Reason: "x"}, []string{"Skipped StatefulSet db: x", "Skipped PersistentVolumeClaim data-0: x", "Skipped PersistentVolumeClaim data-1: x"}},
		"failed":  {Failed{Object: id, Err: errors.New("no")}, []string{"Failed StatefulSet db: no", "Skipped PersistentVolumeClaim data-0: StatefulSet db failed", "Skipped PersistentVolumeClaim data-1: StatefulSet db failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, events := recordedRun(t, set)
			r.end(0, c.event)
			if got := events(); !slices.Equal(got, c.want) {
				t.Errorf("%s, want %s", strings.Join(got, "; "), strings.Join(c.want, "; "))
			}
		})
	}
}

// Claims that have grown before their StatefulSet failed keep their event.
func TestGrownClaimsAreReportedOnce(t *testing.T) {
	set := stepOf("StatefulSet", "db", diff.Replaced, claim("data-0", diff.Updated), claim("data-1", diff.Updated), claim("data-2", diff.Updated))
	r, events := recordedRun(t, set)
	r.endRelated(0, 2, Applied{})
	r.endRelated(0, 2, Applied{}) // once more, as if it were tried again
	r.end(0, Failed{Object: set.object.id, Err: errors.New("no")})
	want := []string{
		"Updated PersistentVolumeClaim data-0", "Updated PersistentVolumeClaim data-1",
		"Failed StatefulSet db: no", "Skipped PersistentVolumeClaim data-2: StatefulSet db failed",
	}
	if got := events(); !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "; "))
	}
}

// After a failure every step that has had no terminal event gets one, in the
// order of the report; what is kept is not skipped.
func TestSkipRest(t *testing.T) {
	steps := []step{
		stepOf("ConfigMap", "a", diff.Updated), stepOf("ConfigMap", "b", diff.Created), stepOf("ConfigMap", "unnamed", ""),
		stepOf("ConfigMap", "c", diff.Kept), stepOf("ConfigMap", "d", diff.Deleted),
	}
	r, events := recordedRun(t, steps...)
	r.end(0, Applied{Object: steps[0].object.id, Action: diff.Updated})
	r.state.setSkipReason(4, "it waits for b")
	skipped := r.skipRest(t.Context())
	want := []string{"Updated ConfigMap a", "Skipped ConfigMap b: " + somethingFailed, "Kept ConfigMap c: its policy", "Skipped ConfigMap d: it waits for b"}
	if got := events(); !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "; "))
	}
	if len(skipped) != 2 || skipped[0].Name != "b" || skipped[1].Name != "d" || skipped[1].Reason != "it waits for b" {
		t.Errorf("skipped %v", skipped)
	}
	if again := r.skipRest(t.Context()); len(again) > 0 || len(events()) != len(want) {
		t.Errorf("skipped again: %v", again)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ = recordedRun(t, steps[:1]...)
	if skipped := r.skipRest(ended); len(skipped) != 1 || !strings.Contains(skipped[0].Reason, "ended") {
		t.Errorf("when the context has ended: %v", skipped)
	}
}

// What is written becomes live in the run's own record, and the step stays as
// it was planned.
func TestRunStateLeavesStepsAlone(t *testing.T) {
	s := stepOf("ConfigMap", "a", diff.Created)
	r, _ := recordedRun(t, s)
	if r.state.live(0) != nil {
		t.Error("it is live before it is written")
	}
	r.state.setLive(0, s.object.desired)
	if r.state.live(0) == nil || r.w.steps[0].object.live != nil {
		t.Error("the step has changed, or the record has not")
	}
}
