package stack_test

import (
	"errors"
	"slices"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// What cannot be a stack is refused by New, with a typed error.
func TestNewRefuses(t *testing.T) {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := engine.New(&rest.Config{Host: "https://127.0.0.1:2"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := chart(t, "x", map[string]string{"a.yaml": service})
	member := func(name string, needs ...string) stack.Member {
		return stack.Member{Needs: needs, Release: engine.Release{Key: engine.Key{Namespace: "shop", Name: name}, Source: c}}
	}
	as := func(m stack.Member, name string, e *engine.Engine) stack.Member {
		m.Name, m.Engine = name, e
		return m
	}
	with := func(m stack.Member, path string, o stack.Output) stack.Member {
		m.Inputs = stack.Inputs{path: o}
		return m
	}
	var cycle *stack.CycleError
	var need *stack.NeedError
	var duplicate *stack.DuplicateError
	for name, c := range map[string]struct {
		stack   string
		members []stack.Member
		as      any
		is      error
	}{
		"a cycle":           {"shop", []stack.Member{member("a", "b"), member("b", "c"), member("c", "b")}, &cycle, nil},
		"itself":            {"shop", []stack.Member{member("a", "a")}, &cycle, nil},
		"by an input":       {"shop", []stack.Member{member("a", "b"), with(member("b"), "x", stack.Notes("a"))}, &cycle, nil},
		"a missing need":    {"shop", []stack.Member{member("a", "b")}, &need, nil},
		"a missing output":  {"shop", []stack.Member{with(member("a"), "x", stack.Notes("b"))}, &need, nil},
		"one name twice":    {"shop", []stack.Member{member("a"), member("a")}, &duplicate, nil},
		"one release twice": {"shop", []stack.Member{member("a"), as(member("a"), "b", nil)}, &duplicate, nil},
		"a name":            {"my shop", nil, nil, engine.ErrInvalidOptions},
		"no source":         {"shop", []stack.Member{{Release: engine.Release{Key: engine.Key{Namespace: "shop", Name: "a"}}}}, nil, engine.ErrInvalidOptions},
		"no output":         {"shop", []stack.Member{with(member("a"), "x", stack.Output{})}, nil, engine.ErrInvalidOptions},
		"an object":         {"shop", []stack.Member{member("b"), with(member("a"), "x", stack.Field("b", diff.Object{}, "spec"))}, nil, engine.ErrInvalidOptions},
		"a path":            {"shop", []stack.Member{member("b"), with(member("a"), "x..y", stack.Notes("b"))}, nil, engine.ErrInvalidOptions},
		"one example":       {"shop", []stack.Member{member("b"), with(member("a"), "x", stack.Notes("b").Like("a", "a"))}, nil, engine.ErrInvalidOptions},
		"an input within another": {"shop", []stack.Member{member("b"), {
			Release: member("a").Release, Inputs: stack.Inputs{"x.y": stack.Notes("b"), "x": stack.Notes("b"), "x-y": stack.Notes("b")},
		}}, nil, engine.ErrInvalidOptions},
		"two types": {"shop", []stack.Member{member("b"), with(member("a"), "x", stack.Notes("b").Like("a", 1))}, nil, engine.ErrInvalidOptions},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := stack.New(c.stack, eng, c.members...)
			if err == nil || c.as != nil && !errors.As(err, c.as) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
	s, err := stack.New("shop", eng, member("c", "a", "b"), member("a"), as(member("a"), "b", other))
	if err != nil || !slices.Equal(s.Members(), []string{"a", "b", "c"}) {
		t.Errorf("%v %v", s, err)
	}
	if !errors.As(cycleOf(t, eng, member("a", "b"), member("b", "c"), member("c", "b")), &cycle) || !slices.Equal(cycle.Members, []string{"b", "c"}) {
		t.Errorf("the cycle is %v", cycle)
	}
}

func cycleOf(t *testing.T, eng *engine.Engine, members ...stack.Member) error {
	t.Helper()
	_, err := stack.New("shop", eng, members...)
	return err
}
