package template

import (
	"strings"
	"text/template/parse"
	"unicode"
	"unicode/utf8"
)

// builder compiles one tree.
type builder struct {
	source string
	funcs  map[string]*function
	vars   map[string]int
}

// compileTree turns a tree that was parsed from the source into what a Run executes.
func compileTree(tree *parse.Tree, source, name string, funcs map[string]*function) *template {
	b := &builder{source: source, funcs: funcs, vars: map[string]int{"$": 0}}
	return &template{name: name, tree: tree, root: b.list(tree.Root)}
}

func (b *builder) variable(name string) int {
	id, ok := b.vars[name]
	if !ok {
		id = len(b.vars)
		b.vars[name] = id
	}
	return id
}

// text returns the text of a node as a part of the source, which the parser copied.
func (b *builder) text(n *parse.TextNode) string {
	if at, end := int(n.Pos), int(n.Pos)+len(n.Text); at >= 0 && end <= len(b.source) && b.source[at:end] == string(n.Text) {
		return b.source[at:end]
	}
	return string(n.Text)
}

func (b *builder) list(l *parse.ListNode) list {
	if l == nil {
		return nil
	}
	out := make(list, 0, len(l.Nodes))
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			out = append(out, &textStmt{b.text(n)})
		case *parse.ActionNode:
			out = append(out, &actionStmt{n, b.pipeline(n.Pipe)})
		case *parse.IfNode:
			out = append(out, b.branch(&n.BranchNode, false))
		case *parse.WithNode:
			out = append(out, b.branch(&n.BranchNode, true))
		case *parse.RangeNode:
			out = append(out, &rangeStmt{
				node: n, pipe: b.pipeline(n.Pipe),
				list: b.list(n.List), alt: b.list(n.ElseList), hasElse: n.ElseList != nil,
			})
		case *parse.TemplateNode:
			t := &templateStmt{node: n, name: n.Name}
			if n.Pipe != nil {
				t.pipe = b.pipeline(n.Pipe)
			}
			out = append(out, t)
		case *parse.BreakNode:
			out = append(out, breakStmt{})
		case *parse.ContinueNode:
			out = append(out, continueStmt{})
		}
	}
	return out
}

func (b *builder) branch(n *parse.BranchNode, with bool) stmt {
	return &branchStmt{
		pipe: b.pipeline(n.Pipe), with: with,
		list: b.list(n.List), alt: b.list(n.ElseList), hasElse: n.ElseList != nil,
	}
}

func (b *builder) pipeline(n *parse.PipeNode) *pipeline {
	p := &pipeline{node: n, assign: n.IsAssign}
	for i, c := range n.Cmds {
		p.cmds = append(p.cmds, b.command(c, i > 0))
	}
	for _, v := range n.Decl {
		p.decl = append(p.decl, b.variable(v.Ident[0]))
		p.names = append(p.names, v.Ident[0])
	}
	return p
}

// command compiles a stage of a pipeline; final reports that a value comes from
// the stage before.
func (b *builder) command(c *parse.CommandNode, final bool) expr {
	first := c.Args[0]
	args := c.Args[1:]
	idle := "" // why the operand cannot take the arguments that it is given
	if len(args) > 0 || final {
		idle = "can't give argument to non-function " + first.String()
	}
	switch n := first.(type) {
	case *parse.FieldNode:
		return &fieldExpr{n, b.chain(n, ".", n.Ident, args)}
	case *parse.ChainNode:
		return b.chained(n, args)
	case *parse.IdentifierNode:
		return b.call(n, c, args, final)
	case *parse.PipeNode:
		if idle != "" {
			return &failExpr{nil, idle}
		}
		return b.pipeline(n)
	case *parse.VariableNode:
		if idle != "" && len(n.Ident) == 1 {
			return &failExpr{n, idle}
		}
		return b.varExpr(n, args)
	}
	if idle != "" {
		return &failExpr{first, idle}
	}
	switch n := first.(type) {
	case *parse.DotNode:
		return &dotExpr{n}
	case *parse.NilNode:
		return &failExpr{n, "nil is not a command"}
	}
	v, err := ideal(first)
	if err != "" {
		return &failExpr{first, err}
	}
	return &constExpr{first, v}
}

func (b *builder) varExpr(n *parse.VariableNode, args []parse.Node) expr {
	e := &varExpr{node: n, id: b.variable(n.Ident[0]), name: n.Ident[0]}
	if len(n.Ident) > 1 {
		e.chain = b.chain(n, n.Ident[0], n.Ident[1:], args)
	}
	return e
}

func (b *builder) chained(n *parse.ChainNode, args []parse.Node) expr {
	e := &chainExpr{node: n, inner: n.Node, chain: b.chain(n, n.Node.String(), n.Field, args)}
	switch in := n.Node.(type) {
	case *parse.PipeNode:
		e.of = b.pipeline(in)
	case *parse.IdentifierNode:
		e.of = b.call(in, in, nil, false)
	default:
		e.of = &failExpr{n, "can't evaluate command " + n.String()}
	}
	return e
}

func (b *builder) chain(n parse.Node, root string, names []string, args []parse.Node) *chain {
	c := &chain{node: n, root: root, more: len(args) > 0}
	for _, name := range names {
		first, _ := utf8.DecodeRuneInString(name)
		c.keys = append(c.keys, key{name, unicode.IsUpper(first)})
	}
	for _, a := range args {
		c.args = append(c.args, b.argument(a))
	}
	return c
}

func (b *builder) argument(n parse.Node) argument {
	a := argument{node: n}
	switch n := n.(type) {
	case *parse.DotNode:
		a.e = &dotExpr{n}
	case *parse.FieldNode:
		a.e = &fieldExpr{n, b.chain(n, ".", n.Ident, nil)}
	case *parse.VariableNode:
		a.e = b.varExpr(n, nil)
	case *parse.PipeNode:
		a.e = b.pipeline(n)
	case *parse.IdentifierNode:
		a.e = b.call(n, n, nil, false)
	case *parse.ChainNode:
		a.e = b.chained(n, nil)
	}
	return a
}

// call compiles the call of a function; blame is shown when the function fails.
func (b *builder) call(n *parse.IdentifierNode, blame parse.Node, args []parse.Node, final bool) expr {
	fn := b.funcs[n.Ident]
	if fn == nil {
		return &failExpr{n, `"` + n.Ident + `" is not a defined function`}
	}
	if msg := fn.arity(len(args), final); msg != "" {
		return &failExpr{n, msg}
	}
	bounds := make([]bound, len(args))
	for i, a := range args {
		bounds[i] = b.argument(a).bind(fn.param(i))
	}
	e := callExpr{node: n, blame: blame, fn: fn, args: bounds}
	if final {
		e.final = fn.param(len(args))
	}
	switch {
	case fn.builtin && (fn.name == "and" || fn.name == "or"):
		return &logicExpr{node: n, or: fn.name == "or", args: bounds}
	case fn.builtin && fn.name == "call":
		d := &dynamicExpr{callExpr: e}
		if len(args) > 0 {
			d.callee = args[0].String()
		}
		return d
	case fn.name == "include" && !fn.builtin:
		return &includeExpr{e}
	case fn.name == "tpl" && !fn.builtin:
		return &tplExpr{e}
	}
	return &e
}

// parseCost estimates how many bytes a text takes once compiled.
func parseCost(text string) int {
	cost := 2 * len(text)
	for rest := text; ; {
		i := strings.Index(rest, "{{")
		if i < 0 {
			return cost
		}
		rest = rest[i+2:]
		end := strings.Index(rest, "}}")
		if end < 0 {
			end = len(rest)
		}
		cost += 512 + 8*end + 200*tokens(rest[:end])
		rest = rest[end:]
	}
}

// tokens is how many operands an action has, at most.
func tokens(action string) int {
	n := 1
	for i := range len(action) {
		switch action[i] {
		case ' ', '.', '(', '|', '"', '`', '\'', '$', '\n', '\t', '\r':
			n++
		}
	}
	return n
}

// tooDeep reports whether blocks nest deeper than limit, before the parser
// recurses into them. It knows just enough of the lexer to see actions.
func tooDeep(text string, limit int) bool {
	if strings.Count(text, "{{") < limit {
		return false
	}
	var open []int // for each block, how many else-blocks it holds open
	depth := 0
	for {
		i := strings.Index(text, "{{")
		if i < 0 {
			return false
		}
		text = strings.TrimPrefix(text[i+2:], "-")
		text = strings.TrimLeft(text, " \t\r\n")
		if strings.HasPrefix(text, "/*") {
			end := strings.Index(text, "*/")
			if end < 0 {
				return false
			}
			text = text[end+2:]
			continue
		}
		first, rest := word(text)
		switch first {
		case "if", "range", "with", "define", "block":
			open = append(open, 1)
			depth++
		case "else":
			if next, _ := word(rest); (next == "if" || next == "with") && len(open) > 0 {
				open[len(open)-1]++
				depth++
			}
		case "end":
			if len(open) > 0 {
				depth -= open[len(open)-1]
				open = open[:len(open)-1]
			}
		}
		if depth > limit {
			return true
		}
		text = skipAction(text)
	}
}

// word splits off the letters that text begins with, after white space.
func word(text string) (word, rest string) {
	text = strings.TrimLeft(text, " \t\r\n")
	end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end:]
}

// skipAction goes past the end of an action, minding strings.
func skipAction(text string) string {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '`':
			end := strings.IndexByte(text[i+1:], '`')
			if end < 0 {
				return ""
			}
			i += end + 1
		case '}':
			if strings.HasPrefix(text[i:], "}}") {
				return text[i+2:]
			}
		}
	}
	return ""
}
