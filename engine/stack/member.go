package stack

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/graph"
)

// Member is one release of a stack.
type Member struct {
	// Name of the member in the stack, of the characters of a stack's name. Empty:
	// the name of the release.
	Name string
	// Release is what is deployed. Its labels get those of the stack.
	Release engine.Release
	// Engine is that of the cluster to deploy to. Nil: the engine of the stack.
	Engine *engine.Engine
	// Needs are the names of members that must be ready before this one is
	// applied, beside those that Inputs come from.
	Needs []string
	// Inputs are outputs of other members, over Release.Values.
	Inputs Inputs
}

// Inputs are outputs by the value that they become, as a path of names:
// "database.host", or `config.app\.yaml` for a name with a dot. They go over all
// other values of the release.
type Inputs map[string]Output

// Stack is a name and its members. It is immutable and safe for concurrent use.
type Stack struct {
	name     string
	members  []*member // what is needed comes first
	byName   map[string]*member
	engines  []*engine.Engine // that of the stack, and those of the members
	settings map[*engine.Engine]engine.Options
}

// member is a Member with what follows from it.
type member struct {
	Member
	engine *engine.Engine
	needs  []string // names, sorted
	paths  []string // of Inputs, sorted
}

func (m *member) key() engine.Key { return m.Release.Key }

// nameOf is what a label accepts: the names of stacks and members.
var nameOf = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

// nameRule says what nameOf accepts.
const nameRule = "letters, digits, '-', '_' and '.', with a letter or digit at both ends, at most 63"

// New returns a stack. It sends no request. eng is for the members without an
// engine of their own, and may be nil if there are none. What left the stack is
// looked for on its cluster, too, also by a stack that has no members any more.
//
// It fails with a *CycleError, a *NeedError for a need that is no member, a
// *DuplicateError for two members of one name or of one release, and an error that
// wraps engine.ErrInvalidOptions for a name that is not accepted, or
// engine.ErrInvalidKey for that of a release.
func New(name string, eng *engine.Engine, members ...Member) (*Stack, error) {
	if !nameOf.MatchString(name) {
		return nil, fmt.Errorf("%w: the name %q of the stack is not accepted: %s", engine.ErrInvalidOptions, clean.Short(name, 100), nameRule)
	}
	s := &Stack{name: name, byName: map[string]*member{}, settings: map[*engine.Engine]engine.Options{}}
	if err := s.addEngine(eng); err != nil {
		return nil, err
	}
	for _, given := range members {
		m, err := newMember(eng, given)
		if err != nil {
			return nil, err
		}
		if have := s.byName[m.Name]; have != nil {
			return nil, &DuplicateError{First: have.Name, Second: m.Name, Key: m.key()}
		}
		for _, have := range s.members {
			if have.key() == m.key() && have.engine == m.engine {
				return nil, &DuplicateError{First: have.Name, Second: m.Name, Key: m.key()}
			}
		}
		s.byName[m.Name] = m
		s.members = append(s.members, m)
		if err := s.addEngine(m.engine); err != nil {
			return nil, &MemberError{Member: m.Name, Op: "new", Err: err}
		}
	}
	for _, m := range s.members {
		for _, need := range m.needs {
			if s.byName[need] == nil {
				return nil, &NeedError{Member: m.Name, Need: need}
			}
		}
	}
	var err error
	s.members, err = ordered(s.members)
	return s, err
}

func (s *Stack) addEngine(e *engine.Engine) error {
	if _, have := s.settings[e]; have || e == nil {
		return nil
	}
	settings, err := settingsOf(e)
	if err != nil {
		return err
	}
	s.engines, s.settings[e] = append(s.engines, e), settings
	return nil
}

func newMember(eng *engine.Engine, given Member) (*member, error) {
	m := &member{Member: given, engine: cmp.Or(given.Engine, eng)}
	m.Name = cmp.Or(given.Name, given.Release.Name)
	if err := engine.ValidateKey(m.key()); err != nil {
		return nil, &MemberError{Member: clean.Short(m.Name, 100), Op: "new", Err: err}
	}
	if !nameOf.MatchString(m.Name) {
		return nil, &MemberError{Member: clean.Short(m.Name, 100), Op: "new", Err: fmt.Errorf("%w: its name is not accepted: %s", engine.ErrInvalidOptions, nameRule)}
	}
	if source := given.Release.Source; source == nil || reflect.ValueOf(source).Kind() == reflect.Pointer && reflect.ValueOf(source).IsNil() {
		return nil, &MemberError{Member: m.Name, Op: "new", Err: fmt.Errorf("%w: its release has no Source", engine.ErrInvalidOptions)}
	}
	if m.engine == nil {
		return nil, &MemberError{Member: m.Name, Op: "new", Err: fmt.Errorf("%w: it has no engine, and the stack has none", engine.ErrInvalidOptions)}
	}
	m.Inputs = maps.Clone(given.Inputs)
	m.needs = slices.Clone(given.Needs)
	for path, out := range given.Inputs {
		m.paths = append(m.paths, path)
		if _, err := splitPath(path); err != nil {
			return nil, &MemberError{Member: m.Name, Op: "new", Err: err}
		}
		if err := out.validate(); err != nil {
			return nil, &MemberError{Member: m.Name, Op: "new", Err: fmt.Errorf("input %s: %w", clean.Line(path), err)}
		}
		m.needs = append(m.needs, out.members()...)
	}
	slices.Sort(m.paths)
	if err := overlap(m.paths); err != nil {
		return nil, &MemberError{Member: m.Name, Op: "new", Err: err}
	}
	slices.Sort(m.needs)
	m.needs = slices.Compact(m.needs)
	return m, nil
}

// Name returns the name of the stack.
func (s *Stack) Name() string { return s.name }

// Members returns the names of the members in the order in which they are applied:
// what is needed comes first.
func (s *Stack) Members() []string {
	out := make([]string, len(s.members))
	for i, m := range s.members {
		out[i] = m.Name
	}
	return out
}

// ordered puts what is needed first, and keeps the given order otherwise. All needs
// are members.
func ordered(members []*member) ([]*member, error) {
	if err := cycle(members); err != nil {
		return nil, err
	}
	out := make([]*member, 0, len(members))
	done := map[string]bool{}
	for len(out) < len(members) {
		for _, m := range members {
			if !done[m.Name] && !slices.ContainsFunc(m.needs, func(n string) bool { return !done[n] }) {
				done[m.Name] = true
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// cycle is a *CycleError if members need each other.
func cycle(members []*member) error {
	nodes := make([]graph.Node, len(members))
	for i, m := range members {
		for _, need := range m.needs {
			nodes[i].Needs = append(nodes[i].Needs, slices.IndexFunc(members, func(m *member) bool { return m.Name == need }))
		}
	}
	_, cycles := graph.BreakCycles(nodes)
	if len(cycles) == 0 {
		return nil
	}
	err := &CycleError{}
	for _, i := range cycles[0] {
		err.Members = append(err.Members, members[i].Name)
	}
	return err
}

// above returns the members that m needs, directly and through others.
func (s *Stack) above(m *member) []*member {
	needed := map[string]bool{}
	var visit func(*member)
	visit = func(m *member) {
		for _, n := range m.needs {
			if !needed[n] {
				needed[n] = true
				visit(s.byName[n])
			}
		}
	}
	visit(m)
	var out []*member
	for _, x := range s.members {
		if needed[x.Name] {
			out = append(out, x)
		}
	}
	return out
}
