package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

var (
	// ErrPlanInvalid is returned when JSON is no plan of a stack as this package
	// writes it.
	ErrPlanInvalid = errors.New("not a plan of a stack")
	// ErrPlanStack is returned when a plan is for another stack, or for other
	// members than the stack has.
	ErrPlanStack = errors.New("the plan is for another stack")
	// ErrOutputMissing is returned when an output is not there although the member
	// that it comes from is ready.
	ErrOutputMissing = errors.New("the output is missing")
	// ErrOutputType is returned when an output is of another type than declared.
	ErrOutputType = errors.New("the output is of another type")
	// ErrInputChanged is returned when an output that was known when the plan was
	// made is another one when the plan is applied.
	ErrInputChanged = errors.New("an output has changed since the plan was made")
	// ErrOtherStack is returned when a release belongs to another stack.
	ErrOtherStack = errors.New("the release belongs to another stack")
	// ErrNeededFailed is why a member is skipped whose need failed.
	ErrNeededFailed = errors.New("what it needs has failed")
	// ErrStopped is why a member is skipped after another one failed.
	ErrStopped = errors.New("another member has failed")
)

// CycleError is returned by New when members need each other.
type CycleError struct {
	Members []string // each needs the next, and the last one the first
}

func (e *CycleError) Error() string {
	return "members need each other: " + clean.Line(strings.Join(append(e.Members[:len(e.Members):len(e.Members)], e.Members[0]), " → "))
}

// NeedError is returned by New when a member needs one that the stack does not have.
type NeedError struct{ Member, Need string }

func (e *NeedError) Error() string {
	return clean.Line(fmt.Sprintf("member %s needs %q, which is no member of the stack", e.Member, e.Need))
}

// DuplicateError is returned when two members have one name, or are one release of
// one cluster.
type DuplicateError struct {
	First, Second string
	Key           engine.Key
}

func (e *DuplicateError) Error() string {
	if e.First == e.Second {
		return clean.Line(fmt.Sprintf("two members are named %s: set Member.Name", e.First))
	}
	return clean.Line(fmt.Sprintf("members %s and %s are the same release %s", e.First, e.Second, e.Key))
}

// MemberError is an error about one member. It unwraps to the error of the engine.
type MemberError struct {
	Member string
	Op     string // "new", "plan", "apply", "take back", "prune", …
	Err    error
}

func (e *MemberError) Error() string {
	return fmt.Sprintf("%s member %s: %v", e.Op, clean.Line(e.Member), e.Err)
}

// Unwrap returns the cause.
func (e *MemberError) Unwrap() error { return e.Err }

// SkippedMember is a member that was not applied, and why.
type SkippedMember struct {
	Member string
	// Needs is the member that failed or was skipped; empty: the call stopped.
	Needs string
	Err   error // ErrNeededFailed, ErrStopped, or that of the context
}

func (s SkippedMember) String() string {
	if s.Needs != "" {
		return clean.Line(fmt.Sprintf("%s was skipped: it needs %s", s.Member, s.Needs))
	}
	return clean.Line(fmt.Sprintf("%s was skipped: %v", s.Member, s.Err))
}

// ApplyError is returned when members could not be applied.
type ApplyError struct {
	Stack   string
	Failed  []*MemberError
	Skipped []SkippedMember
	// TakenBack are the members that OnFailure has taken back, in order, and
	// NotTakenBack those of which that failed too.
	TakenBack    []string
	NotTakenBack []*MemberError
}

func (e *ApplyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stack %s: %d failed, %d skipped", e.Stack, len(e.Failed), len(e.Skipped))
	for _, f := range e.Failed {
		b.WriteString("\n" + f.Error())
	}
	for _, s := range e.Skipped {
		b.WriteString("\n" + s.String())
	}
	if len(e.TakenBack) > 0 {
		b.WriteString("\ntaken back: " + clean.Line(strings.Join(e.TakenBack, ", ")))
	}
	for _, f := range e.NotTakenBack {
		b.WriteString("\n" + f.Error())
	}
	return b.String()
}

// Unwrap returns the errors of the members.
func (e *ApplyError) Unwrap() []error {
	var out []error
	for _, f := range e.Failed {
		out = append(out, f)
	}
	for _, s := range e.Skipped {
		if s.Err != nil {
			out = append(out, s.Err)
		}
	}
	for _, f := range e.NotTakenBack {
		out = append(out, f)
	}
	return out
}

// ProblemsError is returned by Apply when the plan of a member has problems.
// Nothing was written.
type ProblemsError struct{ Members []*MemberError }

func (e *ProblemsError) Error() string {
	texts := make([]string, len(e.Members))
	for i, m := range e.Members {
		texts[i] = m.Error()
	}
	return strings.Join(texts, "\n")
}

// Unwrap returns the problems of each member, as the engine's *ProblemsError.
func (e *ProblemsError) Unwrap() []error {
	out := make([]error, len(e.Members))
	for i, m := range e.Members {
		out[i] = m
	}
	return out
}

// Excess is what a member would change beyond what its plan has shown.
type Excess struct {
	Object diff.Object
	Action diff.Action
	// Field that is not shown, or has another value; zero: the object as a whole.
	Field diff.Field
}

func (x Excess) String() string {
	text := fmt.Sprintf("%s (%s)", x.Object, x.Action)
	if x.Field.Path != "" {
		text += " " + x.Field.Path
	}
	return clean.Line(text)
}

// BeyondError is returned when what became known makes a member differ beyond what
// was shown as unknown. The member was not written; plan again, or set
// ApplyOptions.UnsafeBeyond.
type BeyondError struct {
	Key    engine.Key
	Beyond []Excess
}

func (e *BeyondError) Error() string {
	texts := make([]string, 0, len(e.Beyond))
	for _, x := range e.Beyond[:min(len(e.Beyond), 10)] {
		texts = append(texts, x.String())
	}
	if more := len(e.Beyond) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("release %s would change more than the plan has shown: %s; plan again", e.Key, strings.Join(texts, "; "))
}

// NeededError is returned when releases outside of the stack need one that a plan
// deletes.
type NeededError struct {
	Key engine.Key
	By  []engine.Key
}

func (e *NeededError) Error() string {
	texts := make([]string, len(e.By))
	for i, k := range e.By {
		texts[i] = k.String()
	}
	return fmt.Sprintf("release %s is needed by %s, which the plan leaves; set PlanOptions.UnsafeNeeded to delete it nevertheless", e.Key, strings.Join(texts, ", "))
}

// OutputError is an error about one output.
type OutputError struct {
	Output string // what it is, as Output.String
	Err    error
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("output %s: %v", clean.Line(e.Output), e.Err)
}

// Unwrap returns the cause.
func (e *OutputError) Unwrap() error { return e.Err }
