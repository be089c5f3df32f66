package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// stackTree is a stack in progress, with all of its members.
type stackTree struct {
	name    string
	began   time.Time
	members []*stackMember
}

type stackMember struct {
	name  string
	key   engine.Key // of its release; zero until the engine has reported of it
	state stack.MemberState
}

// applyStack applies an event of a stack, and returns a permanent line, if any.
func (t *tree) applyStack(e stack.Event) (keep string, good verdict) {
	s := t.stack(e)
	m := s.member(e.Member)
	if e.Engine != nil {
		m.key = e.Engine.Release()
		return t.apply(e.Engine)
	}
	m.state = e.State
	line := clean.Line("stack " + e.Stack + ", " + e.String())
	if s.ended() {
		t.stacks = slices.DeleteFunc(t.stacks, func(x *stackTree) bool { return x == s })
	}
	switch e.State {
	case stack.MemberFailed:
		return line, bad
	case stack.MemberSkipped, stack.MemberReverting, stack.MemberReverted:
		return line, doubtful
	}
	return "", neutral
}

// stack is the one that an event is of, which it begins if it is new.
func (t *tree) stack(e stack.Event) *stackTree {
	for _, s := range t.stacks {
		if s.name == e.Stack {
			return s
		}
	}
	s := &stackTree{name: e.Stack, began: e.At}
	t.stacks = append(t.stacks, s)
	return s
}

// inStack reports whether an operation is shown below a stack.
func (t *tree) inStack(c *call) bool {
	return slices.ContainsFunc(t.stacks, func(s *stackTree) bool {
		return slices.ContainsFunc(s.members, func(m *stackMember) bool { return m.key == c.key })
	})
}

func (s *stackTree) member(name string) *stackMember {
	for _, m := range s.members {
		if m.name == name {
			return m
		}
	}
	m := &stackMember{name: name}
	s.members = append(s.members, m)
	return m
}

func (s *stackTree) ended() bool {
	return !slices.ContainsFunc(s.members, func(m *stackMember) bool { return !m.ended() })
}

func (m *stackMember) ended() bool {
	switch m.state {
	case stack.MemberDone, stack.MemberFailed, stack.MemberSkipped, stack.MemberReverted:
		return true
	}
	return false
}

// shown are the members that are not folded, those in progress first.
func (s *stackTree) shown() []*stackMember {
	var begun, waiting []*stackMember
	for _, m := range s.members {
		switch {
		case m.ended():
		case m.state == stack.MemberPending:
			waiting = append(waiting, m)
		default:
			begun = append(begun, m)
		}
	}
	return append(begun, waiting...)
}

func (s *stackTree) counts() string {
	n := map[stack.MemberState]int{}
	for _, m := range s.members {
		n[m.state]++
	}
	parts := []string{fmt.Sprintf("%d of %d done", n[stack.MemberDone], len(s.members))}
	for _, state := range []stack.MemberState{stack.MemberFailed, stack.MemberSkipped, stack.MemberReverted} {
		if n[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[state], strings.ToLower(string(state))))
		}
	}
	return strings.Join(parts, ", ")
}

// word is what a member is about that has no operation to show.
func (m *stackMember) word() string {
	switch m.state {
	case stack.MemberPending:
		return "waits"
	case stack.MemberReverting:
		return "going back"
	}
	return "planning"
}
