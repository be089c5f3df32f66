package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/errors.md has a row for each exported sentinel and error type, and for
// no other.
func TestErrorsAreDocumented(t *testing.T) {
	want := map[string]bool{}
	for _, pkg := range []string{"render", "charts", "diff", "engine", "engine/stack"} {
		declared := declarations(t, pkg)
		for _, name := range declared.vars {
			if strings.HasPrefix(name, "Err") {
				want[path.Base(pkg)+"."+name] = true
			}
		}
		for _, name := range declared.types {
			if strings.HasSuffix(name, "Error") {
				want["*"+path.Base(pkg)+"."+name] = true
			}
		}
	}
	if len(want) < 40 {
		t.Errorf("found only %d errors: %v", len(want), slices.Sorted(maps.Keys(want)))
	}
	compareRows(t, "errors.md", "", want)
}

// docs/plans.md has a row for each kind of problem.
func TestProblemsAreDocumented(t *testing.T) {
	compareRows(t, "plans.md", "## Problems", constants(t, "engine", "ProblemKind"))
}

// docs/waiting.md has a row for each cause of a diagnosis.
func TestCausesAreDocumented(t *testing.T) {
	compareRows(t, "waiting.md", "## Causes", constants(t, "engine", "Cause"))
}

// docs/waiting.md names each field of FailurePolicy.
func TestFailurePolicyIsDocumented(t *testing.T) {
	text := section(t, "waiting.md", "## Causes")
	fields := 0
	for _, file := range parsed(t, "engine") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != "FailurePolicy" {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range structure.Fields.List {
				for _, name := range f.Names {
					fields++
					if !regexp.MustCompile(`\b` + name.Name + `\b`).MatchString(text) {
						t.Errorf("docs/waiting.md does not name FailurePolicy.%s", name.Name)
					}
				}
			}
			return true
		})
	}
	if fields < 10 {
		t.Errorf("found only %d fields", fields)
	}
}

// compareRows compares the names in the first cells of a page's tables, below
// a heading, with those that are wanted.
func compareRows(t *testing.T, page, heading string, want map[string]bool) {
	t.Helper()
	have := map[string]bool{}
	for line := range strings.Lines(section(t, page, heading)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.HasPrefix(strings.TrimSpace(cells[1]), "---") {
			continue
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			have[strings.Trim(strings.TrimSpace(name), "`")] = true
		}
	}
	for name := range want {
		if !have[name] {
			t.Errorf("docs/%s has no row for %s", page, name)
		}
	}
	for name := range have {
		if !want[name] && !slices.Contains([]string{"Error", "Type", "Problem", "Cause"}, name) {
			t.Errorf("docs/%s has a row for %s, which does not exist", page, name)
		}
	}
}

// section returns a page from a heading to the next one of its level; the whole
// page without a heading.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if heading == "" {
		return text
	}
	_, text, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/%s has no heading %q", page, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

type declarationNames struct{ vars, types []string }

// declarations returns the exported variables and types of a package.
func declarations(t *testing.T, pkg string) declarationNames {
	t.Helper()
	var out declarationNames
	for _, file := range parsed(t, pkg) {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if d.Tok == token.VAR && name.IsExported() {
							out.vars = append(out.vars, name.Name)
						}
					}
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						out.types = append(out.types, s.Name.Name)
					}
				}
			}
		}
	}
	return out
}

// constants returns the values of a package's constants of a string type.
func constants(t *testing.T, pkg, typ string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, file := range parsed(t, pkg) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			id, isName := spec.Type.(*ast.Ident)
			value, isLiteral := spec.Values[0].(*ast.BasicLit)
			if isName && isLiteral && id.Name == typ {
				text, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				out[text] = true
			}
			return true
		})
	}
	if len(out) < 10 {
		t.Errorf("found only %d constants of %s.%s", len(out), pkg, typ)
	}
	return out
}

// parsed returns the files of a package, without its tests.
func parsed(t *testing.T, pkg string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out
}
