// Package test holds what must be true of the whole module.
package test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/fairlead-dev/fairlead"

// goPackage is the output of go list about a package.
type goPackage struct {
	ImportPath   string
	Dir          string
	Standard     bool
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Standard,GoFiles,Imports,TestImports,XTestImports,Deps"}, args...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	return packages
}

// Imports only go down: examples → engine → diff, render; charts → render;
// internal packages serve those above them and know none of them, but for the
// vocabulary of diff and render.
func TestImportsGoDown(t *testing.T) {
	mayImport := map[string][]string{
		"render":   {},
		"diff":     {},
		"charts":   {"render"},
		"engine":   {"render", "diff"},
		"examples": {"render", "diff", "charts", "engine"},
		"internal": {"render", "diff"},
		"test":     {"render", "diff", "charts", "engine"},
	}
	for _, p := range list(t, "./...") {
		from := top(p.ImportPath)
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: no rule says what it may import; add one", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			to := top(imported)
			if to == "" || to == from || to == "internal" {
				continue
			}
			if !contains(allowed, to) {
				t.Errorf("%s imports %s, which is up the house", p.ImportPath, imported)
			}
		}
	}
}

// The pure packages reach nothing outside: no client, network, processes or
// logs in their own imports. render/sandbox starts processes, because that is
// what it is for: it renders in a child. So does render/execrender, whose
// post-renderers are programs. render must not import them.
func TestPurePackagesReachNothing(t *testing.T) {
	const sandbox, execrender = module + "/render/sandbox", module + "/render/execrender"
	for _, p := range list(t, "./render/...", "./diff/...") {
		for _, imported := range p.Imports {
			switch {
			case imported == "os/exec" && (p.ImportPath == sandbox || p.ImportPath == execrender):
			case imported == "log/slog" && p.ImportPath == module+"/render" && onlyDescribes(t, p):
			case imported == sandbox, imported == execrender:
				t.Errorf("%s imports %s", p.ImportPath, imported)
			case strings.HasPrefix(imported, "k8s.io/client-go"), imported == "net/http", imported == "os/exec", imported == "log", imported == "log/slog":
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// onlyDescribes reports whether a package takes nothing of log/slog but the value
// that says how it is to be logged, and logs nothing.
func onlyDescribes(t *testing.T, p goPackage) bool {
	t.Helper()
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		only := true
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if from, ok := sel.X.(*ast.Ident); ok && from.Name == "slog" {
					only = only && (sel.Sel.Name == "Value" || sel.Sel.Name == "StringValue")
				}
			}
			return true
		})
		if !only {
			return false
		}
	}
	return true
}

func TestNoKubernetesBelowThePurePackages(t *testing.T) {
	for _, p := range list(t, "./render", "./diff", "./charts", "./engine") {
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "k8s.io/kubernetes") || dep == module+"/internal/testcluster" {
				t.Errorf("%s depends on %s", p.ImportPath, dep)
			}
		}
	}
}

// Importing the engine brings no terminal and no telemetry libraries; those are
// in packages over it.
func TestObserversAreApart(t *testing.T) {
	for _, p := range list(t, "./engine", "./charts", "./diff", "./render") {
		for _, dep := range p.Deps {
			for _, apart := range []string{"github.com/vbauerster/mpb", "github.com/mattn/go-runewidth", "go.opentelemetry.io/otel", module + "/engine/progress", module + "/engine/telemetry"} {
				if strings.HasPrefix(dep, apart) {
					t.Errorf("%s depends on %s", p.ImportPath, dep)
				}
			}
		}
	}
}

func TestNoReplaceInTheRootModule(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") || strings.Contains(line, "=>") {
			t.Errorf("go.mod: %s", line)
		}
	}
}

// top is the first folder of a package of this module; "" for other modules'.
func top(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
