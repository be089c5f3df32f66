package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// Status is a stack as it is now.
type Status struct {
	Stack string
	// Ready is true if each member is deployed and ready.
	Ready   bool
	Members []MemberStatus // in the order of the stack
	// Left are releases that belong to the stack and are no members any more.
	Left []engine.Key
	// LeftErr is why Left is not known; nil: it is.
	LeftErr error
}

// MemberStatus is a member as it is now.
type MemberStatus struct {
	Member string
	Key    engine.Key
	// Status is nil if Err is set.
	Status *engine.Status
	// Err is why the status is not known: engine.ErrReleaseNotFound of one that is
	// not deployed, engine.ErrUnreachable of one whose cluster does not respond.
	Err error
}

// Status reports how the members are. What cannot be read of one member is in its
// entry; the error is that of the context.
func (s *Stack) Status(ctx context.Context) (*Status, error) {
	out := &Status{Stack: s.name, Ready: true, Members: make([]MemberStatus, len(s.members))}
	secretsOf := s.hiddenSecrets(ctx)
	s.each(func(i int, m *member) {
		status, err := m.engine.Status(ctx, m.key())
		if err == nil && (!status.Ready || status.Revision.Notes != "") {
			var secrets []*unstructured.Unstructured
			if secrets, err = secretsOf[m.Name](); err == nil {
				status = hideStatus(status, redactorOf(secrets...))
			} else {
				status = nil // its texts may show what is hidden
			}
		}
		out.Members[i] = MemberStatus{Member: m.Name, Key: m.key(), Status: status, Err: err}
	})
	for _, m := range out.Members {
		out.Ready = out.Ready && m.Err == nil && m.Status.Ready
	}
	all, _, err := s.find(ctx)
	out.LeftErr = err
	for _, l := range s.left(all) {
		out.Left = append(out.Left, l.Key)
	}
	return out, context.Cause(ctx)
}

// each calls do for all members, for several at once.
func (s *Stack) each(do func(i int, m *member)) {
	names := s.Members()
	walk(names, nil, 0, func(name string) { do(slices.Index(names, name), s.byName[name]) })
}

// Drift is what differs from what the members have applied.
type Drift struct {
	Stack   string
	Members []MemberDrift // in the order of the stack
}

// MemberDrift is the drift of one member.
type MemberDrift struct {
	Member string
	Key    engine.Key
	Report diff.Report
	Err    error // why it is not known
}

// Drifted reports whether any member has drifted, as far as is known.
func (d *Drift) Drifted() bool {
	return slices.ContainsFunc(d.Members, func(m MemberDrift) bool {
		return slices.ContainsFunc(m.Report.Changes, diff.Change.Changed)
	})
}

// Drift compares what is live with what the members have applied, as Engine.Drift
// does. What cannot be read of one member is in its entry; the error is that of the
// context.
func (s *Stack) Drift(ctx context.Context) (*Drift, error) {
	out := &Drift{Stack: s.name, Members: make([]MemberDrift, len(s.members))}
	secretsOf := s.hiddenSecrets(ctx)
	s.each(func(i int, m *member) {
		report, err := m.engine.Drift(ctx, m.key())
		if err == nil && slices.ContainsFunc(report.Changes, diff.Change.Changed) {
			var secrets []*unstructured.Unstructured
			if secrets, err = secretsOf[m.Name](); err == nil {
				report = redactorOf(secrets...).Report(report)
			} else {
				report = diff.Report{} // it may show what is hidden
			}
		}
		out.Members[i] = MemberDrift{Member: m.Name, Key: m.key(), Report: report, Err: err}
	})
	return out, context.Cause(ctx)
}

// MemberRevision is a revision of a member.
type MemberRevision struct {
	Member   string
	Revision engine.Revision
}

// History returns the stored revisions of all members, oldest first. It fails with
// an error that joins a *MemberError for each member whose history cannot be read,
// beside those of the others; a member that is not deployed has none. Like those of
// Engine.History, they have no notes.
func (s *Stack) History(ctx context.Context) ([]MemberRevision, error) {
	var mu sync.Mutex
	var out []MemberRevision
	var failed []error
	s.each(func(_ int, m *member) {
		revisions, err := m.engine.History(ctx, m.key())
		mu.Lock()
		defer mu.Unlock()
		if err = engine.IgnoreNotFound(err); err != nil {
			failed = append(failed, &MemberError{Member: m.Name, Op: "read history of", Err: err})
		}
		for _, r := range revisions {
			out = append(out, MemberRevision{m.Name, r})
		}
	})
	slices.SortStableFunc(out, func(a, b MemberRevision) int {
		if c := a.Revision.Updated.Compare(b.Revision.Updated); c != 0 {
			return c
		}
		if c := strings.Compare(a.Member, b.Member); c != 0 {
			return c
		}
		return a.Revision.Revision - b.Revision.Revision
	})
	slices.SortFunc(failed, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return out, errors.Join(failed...)
}

// String returns one line for each member.
func (s *Status) String() string {
	var b strings.Builder
	for _, m := range s.Members {
		switch {
		case m.Err != nil:
			fmt.Fprintf(&b, "%s: %s\n", m.Member, engine.Headline(m.Err))
		case m.Status.Ready:
			fmt.Fprintf(&b, "%s: %s, ready\n", m.Member, m.Status.Revision)
		default:
			fmt.Fprintf(&b, "%s: %s, not ready\n", m.Member, m.Status.Revision)
		}
	}
	return b.String()
}
