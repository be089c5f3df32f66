package stack_test

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	same := func(_ context.Context, v []any) (any, error) { return v[0], nil }
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
		"no name":           {"", nil, nil, engine.ErrInvalidOptions},
		"a long name":       {strings.Repeat("s", 64), nil, nil, engine.ErrInvalidOptions},
		"a name in Unicode": {"shöp", nil, nil, engine.ErrInvalidOptions},
		"a dash at the end": {"shop-", nil, nil, engine.ErrInvalidOptions},
		"a line break":      {"shop\n", nil, nil, engine.ErrInvalidOptions},

		"a release in Unicode":     {"shop", []stack.Member{member("wéb")}, nil, engine.ErrInvalidKey},
		"a release in look-alikes": {"shop", []stack.Member{member("a"), member("а")}, nil, engine.ErrInvalidKey}, // the second is Cyrillic
		"a release without a name": {"shop", []stack.Member{member("")}, nil, engine.ErrInvalidKey},
		"a release in capitals":    {"shop", []stack.Member{member("Web")}, nil, engine.ErrInvalidKey},
		"a long release":           {"shop", []stack.Member{member(strings.Repeat("n", 54))}, nil, engine.ErrInvalidKey},
		"two dots":                 {"shop", []stack.Member{member("a..b")}, nil, engine.ErrInvalidKey},
		"no namespace":             {"shop", []stack.Member{{Release: engine.Release{Key: engine.Key{Name: "a"}, Source: c}}}, nil, engine.ErrInvalidKey},
		"a namespace with a dot":   {"shop", []stack.Member{{Release: engine.Release{Key: engine.Key{Namespace: "a.b", Name: "a"}, Source: c}}}, nil, engine.ErrInvalidKey},
		"a member in Unicode":      {"shop", []stack.Member{as(member("a"), "→", nil)}, nil, engine.ErrInvalidOptions},
		"a member like one pruned": {"shop", []stack.Member{as(member("a"), "shop/a", nil)}, nil, engine.ErrInvalidOptions},
		"a long member":            {"shop", []stack.Member{as(member("a"), strings.Repeat("m", 64), nil)}, nil, engine.ErrInvalidOptions},
		"an output of itself":      {"shop", []stack.Member{with(member("a"), "x", stack.Notes("a"))}, &cycle, nil},
		"a function of itself":     {"shop", []stack.Member{with(member("a"), "x", stack.Func(same, stack.Notes("a")))}, &cycle, nil},
		"no source":                {"shop", []stack.Member{{Release: engine.Release{Key: engine.Key{Namespace: "shop", Name: "a"}}}}, nil, engine.ErrInvalidOptions},
		"no output":                {"shop", []stack.Member{with(member("a"), "x", stack.Output{})}, nil, engine.ErrInvalidOptions},
		"an object":                {"shop", []stack.Member{member("b"), with(member("a"), "x", stack.Field("b", diff.Object{}, "spec"))}, nil, engine.ErrInvalidOptions},
		"a path":                   {"shop", []stack.Member{member("b"), with(member("a"), "x..y", stack.Notes("b"))}, nil, engine.ErrInvalidOptions},
		"one example":              {"shop", []stack.Member{member("b"), with(member("a"), "x", stack.Notes("b").Like("a", "a"))}, nil, engine.ErrInvalidOptions},
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
	var failed *stack.MemberError
	if _, err := stack.New("shop", nil, as(member("a"), "a", other), member("b")); !errors.As(err, &failed) || failed.Member != "b" || !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("no engine: %v", err)
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
