package engine

import (
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// StalePlanError is returned when the cluster, or the release given to Apply,
// has changed since the plan was computed. Nothing was written, unless Applying
// is set; plan again.
type StalePlanError struct {
	Key    Key
	Object diff.Object // zero if the release as a whole is concerned
	Field  string      // empty if the object as a whole is concerned
	// Then is what the plan was computed from, and Now what is there now.
	// Secret values are hidden.
	Then, Now string
	// Applying is set if the change was found when the object was about to be
	// written: it was not written, others may have been.
	Applying bool
	// Applied is the revision as which the very plan was applied before, if that
	// is why it is stale; 0 otherwise.
	Applied int
}

func (e *StalePlanError) Error() string {
	where := e.Key.String()
	if e.Object != (diff.Object{}) {
		where = e.Object.String()
	}
	if e.Field != "" {
		where += " " + e.Field
	}
	what := "nothing was written"
	if e.Applied > 0 {
		what = fmt.Sprintf("it was applied before, as revision %d, and others came after it; %s", e.Applied, what)
	}
	if e.Applying {
		what = "it was not written"
	}
	return clean.Text(fmt.Sprintf("the plan is stale: %s was %s when it was computed and is %s now; %s, plan again", where, e.Then, e.Now, what))
}

// ApplyError is returned when objects could not be written. The revision is
// recorded as failed, and the next call continues from there.
type ApplyError struct {
	Key       Key
	Revision  int
	Operation Operation       // OperationUninstall, or empty for a call that records a new revision
	Failed    []*Error        // one for each object that failed
	Skipped   []SkippedObject // the objects that were not written because of that
}

// SkippedObject is an object that was not written because of a failure before
// it.
type SkippedObject struct {
	diff.Object
	Reason string
}

const (
	somethingFailed  = "a step before it failed"
	maxSkippedListed = 10 // one by one, in an error's text
)

func (e *ApplyError) Error() string {
	var b strings.Builder
	if e.Operation == OperationUninstall {
		fmt.Fprintf(&b, "the uninstall of %s failed", e.Key)
	} else {
		fmt.Fprintf(&b, "revision %d of %s failed", e.Revision, e.Key)
	}
	for _, f := range e.Failed {
		b.WriteString("\n  ")
		if f.Op != "apply" {
			b.WriteString(f.Op)
		}
		if f.Object != (diff.Object{}) {
			if f.Op != "apply" {
				b.WriteString(" ")
			}
			b.WriteString(f.Object.String())
		}
		if f.Op != "apply" || f.Object != (diff.Object{}) {
			b.WriteString(": ")
		}
		var cause strings.Builder
		writeCause(&cause, f.Err, f.Hint)
		b.WriteString(indented(cause.String()))
	}
	rest := 0
	for i, s := range e.Skipped {
		if s.Reason == somethingFailed || i-rest >= maxSkippedListed {
			rest++
			continue
		}
		fmt.Fprintf(&b, "\n  %s was skipped: %s", s.Object, s.Reason)
	}
	if rest > 0 {
		fmt.Fprintf(&b, "\n  %d more skipped", rest)
	}
	return clean.Text(b.String())
}

func (e *ApplyError) Unwrap() []error {
	out := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		out[i] = f
	}
	return out
}
