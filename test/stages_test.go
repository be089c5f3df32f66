package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stages of package engine, by the beginning of their files' names, and the
// stages whose declarations they may name. Files of no stage hold the values
// that stages hand on.
var stages = map[string][]string{
	"read_":   {},
	"judge_":  {"kind_"},
	"kind_":   {"judge_"},
	"plan_":   {"read_", "judge_", "kind_"},
	"apply_":  {"record_"},
	"record_": {},
}

// verbs are the files of the engine's methods, which call the stages one after
// the other.
var verbs = []string{"verbs.go", "rollout.go", "status.go", "history.go", "get.go", "compare.go", "on_failure.go", "run_tests.go", "reconcile.go"}

// stageOf is the stage of a file; empty for a file of values.
func stageOf(file string) string {
	name := filepath.Base(file)
	for stage := range stages {
		if strings.HasPrefix(name, stage) || name == strings.TrimSuffix(stage, "_")+".go" && stage != "plan_" && stage != "apply_" {
			return stage
		}
	}
	return ""
}

// Each stage of the engine names only what the stages before it hand on: no
// planning while applying, no applying while planning, and values that know no
// stage at all.
func TestStagesAreApart(t *testing.T) {
	fset, files, info := checkEngine(t)
	arrows := map[string][]string{}
	for _, f := range files {
		from := fset.Position(f.Pos()).Filename
		stage, isVerb := stageOf(from), slices.Contains(verbs, filepath.Base(from))
		if isVerb {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			used := info.Uses[id]
			if used == nil || used.Pkg() == nil || used.Pkg().Path() != module+"/engine" || !used.Pos().IsValid() {
				return true
			}
			to := fset.Position(used.Pos()).Filename
			if other := stageOf(to); other != "" && other != stage && !slices.Contains(stages[stage], other) && declared(used) {
				arrow := fmt.Sprintf("%s → %s", orValues(stage), other)
				arrows[arrow] = append(arrows[arrow], fmt.Sprintf("%s names %s of %s", fset.Position(id.Pos()), used.Name(), filepath.Base(to)))
			}
			return true
		})
	}
	for arrow, uses := range arrows {
		t.Errorf("%s:\n  %s", arrow, strings.Join(uses, "\n  "))
	}
}

// An object is not changed once it was read: its fields are assigned in the
// read stage alone. The same holds for what judging returns.
func TestHandedOverValuesAreNotChanged(t *testing.T) {
	owners := map[string][]string{
		"object":   {"read_"},
		"location": {"read_", ""},
		"reading":  {"read_"},
		"step":     {"plan_"},
		"verdict":  {"judge_", "kind_"},
		"write":    {"judge_", "kind_", ""},
		"premise":  {""},
		"history":  {"read_"},
	}
	fset, files, info := checkEngine(t)
	for _, f := range files {
		file := fset.Position(f.Pos()).Filename
		ast.Inspect(f, func(n ast.Node) bool {
			assign, ok := n.(*ast.AssignStmt)
			if !ok || assign.Tok == token.DEFINE {
				return true
			}
			for _, left := range assign.Lhs {
				sel, ok := ast.Unparen(left).(*ast.SelectorExpr)
				if !ok {
					continue
				}
				owner := ownerOf(info, sel)
				allowed, guarded := owners[owner]
				if guarded && !slices.Contains(allowed, stageOf(file)) {
					t.Errorf("%s assigns %s of a %s", fset.Position(sel.Pos()), sel.Sel.Name, owner)
				}
			}
			return true
		})
	}
}

// ownerOf is the name of the engine's type that declares a selected field.
func ownerOf(info *types.Info, sel *ast.SelectorExpr) string {
	selection := info.Selections[sel]
	if selection == nil || selection.Kind() != types.FieldVal {
		return ""
	}
	holder := selection.Recv()
	for _, i := range selection.Index()[:len(selection.Index())-1] {
		holder = fieldsOf(holder).Field(i).Type()
	}
	if p, ok := holder.(*types.Pointer); ok {
		holder = p.Elem()
	}
	if named, ok := holder.(*types.Named); ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == module+"/engine" {
		return named.Obj().Name()
	}
	return ""
}

func fieldsOf(t types.Type) *types.Struct {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	s, _ := t.Underlying().(*types.Struct)
	return s
}

// declared reports whether an object is declared at the top of a file: a
// function, a method, a type, a variable or a constant, or a type's field.
func declared(o types.Object) bool {
	if v, ok := o.(*types.Var); ok && v.IsField() {
		return true
	}
	if f, ok := o.(*types.Func); ok {
		return f.Signature() != nil
	}
	return o.Parent() == o.Pkg().Scope()
}

func orValues(stage string) string {
	if stage == "" {
		return "values"
	}
	return stage
}

// checkEngine parses and type-checks package engine without its tests, by the
// export data that go list gives of what it imports.
func checkEngine(t *testing.T) (*token.FileSet, []*ast.File, *types.Info) {
	t.Helper()
	exports, goFiles := exportsOf(t, "./engine")
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range goFiles {
		f, err := parser.ParseFile(fset, filepath.Join("..", "engine", name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		file, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	if _, err := config.Check(module+"/engine", fset, files, info); err != nil {
		t.Fatal(err)
	}
	return fset, files, info
}

func exportsOf(t *testing.T, pkg string) (exports map[string]string, goFiles []string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,GoFiles", pkg)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports = map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Export string
			GoFiles            []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return exports, goFiles
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module+"/engine" {
			goFiles = p.GoFiles
		}
	}
}
