package template

import (
	"math"
	"path"
	"slices"
	"strings"
	"text/template/parse"
)

// Source is one template file.
type Source struct {
	Name string // as Helm names it: "chart/templates/x.yaml", "chart/charts/sub/templates/x.yaml"
	Text string
}

// Options configures Compile. The zero value is ready for use.
type Options struct {
	// AsMap gives a map of a named type, such as a chart's values, as a plain
	// map that shares its content, and false for all else, and for a key that is
	// a method of its type. It must not call anything on the value. It only saves
	// time: without it such maps are read by reflection.
	AsMap func(v any, key string) (map[string]any, bool)
	// MethodCost states what a method of the data costs, in bytes and steps, by
	// its receiver and arguments; ok is false for a method that it does not know.
	// Nil knows none.
	MethodCost func(receiver any, method string, args []any) (bytes, steps int64, ok bool)
	// Memory is how many bytes the compiled templates may take, by an estimate
	// that is on the high side: 0 means 128 MiB, a negative number no bound.
	Memory int64
	// Helm4 adds the functions that Helm 4 has and Helm 3 has not.
	Helm4 bool
	// Nesting is how deep blocks may nest in one text: 0 means 10 000.
	Nesting int
	// TplCache is how many bytes the compiled texts of tpl may take, roughly:
	// 0 means 16 MiB, a negative number none.
	TplCache int
}

const (
	defaultNesting  = 10_000
	defaultTplCache = 16 << 20
	defaultCompiled = 128 << 20
)

// Set is the compiled templates of a chart. It is immutable and safe for
// concurrent use; what it keeps besides only saves time.
type Set struct {
	names      []string
	files      map[string]bool // those of Names
	root       scope
	funcs      map[string]*function
	known      map[string]any // the names of funcs, for the parser
	asMap      func(any, string) (map[string]any, bool)
	methodCost func(receiver any, method string, args []any) (bytes, steps int64, ok bool)
	types      members
	regexps    regexpCache
	tpls       tplCache
	nesting    int
}

// Compile parses the sources in Helm's order, the deepest paths first, so that
// of several definitions of one name the last one wins that is nearest to the
// root chart. Of sources of one name the last counts. The error is an *Error
// or wraps a *LimitError.
func Compile(sources []Source, opts Options) (*Set, error) {
	s := &Set{asMap: opts.AsMap, methodCost: opts.MethodCost, nesting: opts.Nesting}
	if s.nesting <= 0 {
		s.nesting = defaultNesting
	}
	s.tpls.budget = opts.TplCache
	if opts.TplCache == 0 {
		s.tpls.budget = defaultTplCache
	}
	s.funcs = helm3()
	if opts.Helm4 {
		s.funcs = functions()
	}
	s.known = make(map[string]any, len(s.funcs))
	for name, f := range s.funcs {
		s.known[name] = f
	}
	s.root.defs = make(map[string]*template)
	texts := make(map[string]string, len(sources))
	for _, src := range sources {
		texts[src.Name] = src.Text
	}
	for name := range texts {
		s.names = append(s.names, name)
	}
	slices.SortFunc(s.names, func(a, b string) int {
		if depth := strings.Count(b, "/") - strings.Count(a, "/"); depth != 0 {
			return depth
		}
		return strings.Compare(b, a)
	})
	budget, spent := opts.Memory, int64(0)
	switch {
	case budget == 0:
		budget = defaultCompiled
	case budget < 0:
		budget = math.MaxInt64
	}
	for _, name := range s.names {
		if spent += int64(parseCost(texts[name])); spent > budget {
			limit := &LimitError{Template: name, Limit: "MemoryBytes", Max: budget}
			return nil, &Error{Template: name, Err: limit, text: limit.Error()}
		}
		trees, err := s.parse(name, texts[name])
		if err != nil {
			return nil, err
		}
		for defined, tree := range trees {
			if s.root.defs[defined] != nil && parse.IsEmptyTree(tree.Root) {
				continue
			}
			s.root.defs[defined] = &template{name: defined, tree: tree}
		}
	}
	s.files = make(map[string]bool, len(s.names))
	for _, name := range s.Names() {
		s.files[name] = true
	}
	for _, t := range s.root.defs {
		t.root = compileTree(t.tree, texts[t.tree.ParseName], t.name, s.funcs).root
	}
	return s, nil
}

// isFile reports whether a template is a file that Helm renders, and no partial.
func (s *Set) isFile(name string) bool { return s.files[name] }

// Names lists the sources in the order in which Helm renders them, without
// partials, whose names begin with an underscore.
func (s *Set) Names() []string {
	var names []string
	for _, name := range s.names {
		if !strings.HasPrefix(path.Base(name), "_") {
			names = append(names, name)
		}
	}
	return names
}

func (s *Set) parse(name, text string) (map[string]*parse.Tree, error) {
	trees, err := s.trees(name, text)
	if limit, ok := err.(*LimitError); ok {
		return nil, &Error{Template: name, Err: limit, text: limit.Error()}
	}
	if err != nil {
		return nil, parseFailed(name, err)
	}
	return trees, nil
}

func (s *Set) trees(name, text string) (map[string]*parse.Tree, error) {
	if tooDeep(text, s.nesting) {
		return nil, &LimitError{Template: name, Limit: "TemplateDepth", Max: int64(s.nesting)}
	}
	return parse.Parse(name, text, "", "", s.known)
}

// parseTpl compiles the text of a tpl and keeps the outcome.
func (s *Set) parseTpl(text string) *unit {
	u := &unit{}
	trees, err := s.trees(tplName, text)
	if err != nil {
		u.err = err
	} else {
		for name, tree := range trees {
			t := compileTree(tree, text, name, s.funcs)
			if name == tplName {
				u.main = t
				continue
			}
			if u.defs == nil {
				u.defs = make(map[string]*template)
			}
			u.defs[name] = t
		}
	}
	s.tpls.put(text, u)
	return u
}
