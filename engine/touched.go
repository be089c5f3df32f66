package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Touched is a release that Engine.Watch has found to be touched, with what has
// happened to it since it was returned last.
type Touched struct {
	Key Key
	// Touches has at least one, in the order in which they were seen, and no two
	// that are equal.
	Touches []Touch
	// More is how many further touches were left out, because there were too many.
	More int
}

// Touch is one thing that happened to a release.
type Touch struct {
	Reason TouchReason
	// Object is what was touched: an object of the release, or for TouchDefinition
	// the definition. Zero for TouchFound and TouchHistory.
	Object diff.Object
	// Manager is the field manager that changed the object last, or recorded the
	// revision, by managedFields. Empty if that is not known, as of a deletion.
	Manager string
	// Own is true for a change by Options.FieldManager, and for a revision that an
	// engine of this process has recorded. There are none without WatchOptions.Own.
	Own bool
	// Err is set for TouchUnwatched.
	Err error
}

// TouchReason is why a release was touched.
type TouchReason string

const (
	// TouchFound: the release exists when the watch begins. It comes again when
	// more of the release is watched than before, because its newest revision has
	// other kinds.
	TouchFound = TouchReason(observe.Found)
	// TouchChanged: an object was created, or something else of it than its status
	// was changed, or the beginning of its deletion.
	TouchChanged = TouchReason(observe.Changed)
	// TouchDeleted: an object is gone.
	TouchDeleted = TouchReason(observe.Deleted)
	// TouchReady and TouchUnready: an object has become ready, or is not any more.
	TouchReady   = TouchReason(observe.Ready)
	TouchUnready = TouchReason(observe.Unready)
	// TouchHistory: a revision was recorded, changed or deleted, also the first or
	// the last one of the release.
	TouchHistory = TouchReason(observe.History)
	// TouchDefinition: the definition of a kind that the release uses was created,
	// changed or deleted. It comes up to four times in 15 s, since the API server
	// serves a new schema some time after the change.
	TouchDefinition = TouchReason(observe.Definition)
	// TouchUnwatched: objects of the release are not watched, with the reason in
	// Touch.Err, such as a missing permission. It comes once; the watch of
	// everything else goes on, and these are tried again: then TouchFound comes.
	// Until then only a pass from time to time notices what happens to them.
	TouchUnwatched = TouchReason(observe.Unwatched)
)

// String returns one line: "Changed Deployment shop/web by kubectl-edit".
func (t Touch) String() string {
	s := string(t.Reason)
	if t.Object != (diff.Object{}) {
		s += " " + t.Object.String()
	}
	if t.Manager != "" {
		s += " by " + t.Manager
	}
	if t.Err != nil {
		s += fmt.Sprintf(": %v", t.Err)
	}
	return clean.Line(s)
}

// touched is what an observer has seen of a release.
func touched(r observe.Release, events []observe.Event, more int) Touched {
	out := Touched{Key: Key(r), Touches: make([]Touch, len(events)), More: more}
	for i, e := range events {
		t := Touch{Reason: TouchReason(e.Reason), Object: e.Object, Manager: clean.Line(e.Manager), Own: e.Own}
		if e.Err != nil {
			t.Err = explain("watch", out.Key, e.Object, e.Err)
		}
		out.Touches[i] = t
	}
	return out
}
