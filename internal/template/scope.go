package template

import (
	"text/template/parse"
)

// tplName is what Helm calls the text of a tpl, and the root of all templates.
const tplName = "gotpl"

// template is one compiled definition.
type template struct {
	name string
	tree *parse.Tree
	root list
}

// scope is the templates that a template sees: those that its tpl defined, then
// those that the tpl around it did, then the chart's.
type scope struct {
	parent *scope
	defs   map[string]*template
	main   *template // the text of the innermost tpl, which goes by tplName
}

func (s *scope) lookup(name string) *template {
	if s.main != nil && name == tplName {
		return s.main
	}
	for ; s != nil; s = s.parent {
		if t := s.defs[name]; t != nil {
			return t
		}
	}
	return nil
}

// within is the scope that a tpl text sees.
func (s *scope) within(u *unit) *scope {
	if len(u.defs) == 0 {
		return &scope{parent: s.parent, defs: s.defs, main: u.main}
	}
	defs := make(map[string]*template, len(u.defs))
	for name, t := range u.defs {
		// An empty definition does not replace one that exists.
		if parse.IsEmptyTree(t.tree.Root) && s.lookup(name) != nil {
			continue
		}
		defs[name] = t
	}
	return &scope{parent: s, defs: defs, main: u.main}
}

// unit is the outcome of one text: itself and what it defines.
type unit struct {
	main *template
	defs map[string]*template
	err  error // it could not be parsed
}
