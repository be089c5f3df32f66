package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// known are the packages that a program in the documentation may use without an
// import.
var known = map[string]string{
	"allow": module + "/engine/allow", "charts": module + "/charts", "diff": module + "/diff", "engine": module + "/engine", "stack": module + "/engine/stack", "render": module + "/render", "sandbox": module + "/render/sandbox", "execrender": module + "/render/execrender",
	"context": "context", "crypto": "crypto", "errors": "errors", "fmt": "fmt", "json": "encoding/json", "os": "os", "filepath": "path/filepath", "log": "log", "embed": "embed",
	"progress": module + "/engine/progress", "telemetry": module + "/engine/telemetry", "slog": "log/slog", "time": "time",
	"unstructured": "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured",
	"rest":         "k8s.io/client-go/rest", "rbacv1": "k8s.io/api/rbac/v1", "metav1": "k8s.io/apimachinery/pkg/apis/meta/v1", "genericclioptions": "k8s.io/cli-runtime/pkg/genericclioptions",
}

var fence = regexp.MustCompile("(?s)```go\n(.*?)```")

// Every Go program in README.md and docs compiles.
func TestProgramsInTheDocumentationCompile(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var packages []string
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllStringSubmatch(string(text), -1) {
			dir := fmt.Sprintf("docs/program-%s-%d", strings.TrimSuffix(filepath.Base(page), ".md"), i+1)
			file := filepath.Join(t.TempDir(), "program.go")
			if err := os.WriteFile(file, []byte(complete(m[1])), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay.Replace[filepath.Join(root, dir, "program.go")] = file
			packages = append(packages, "./"+dir)
		}
	}
	if len(packages) < 4 {
		t.Fatalf("found only %d programs", len(packages))
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"build", "-overlay", config}, packages...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// complete returns a whole file for a part of one. A program becomes a package that
// is not main: it is compiled just as strictly, and linking takes far longer than
// compiling.
func complete(piece string) string {
	if rest, ok := strings.CutPrefix(piece, "package main\n"); ok {
		return "package program\n" + rest
	}
	if strings.HasPrefix(piece, "package ") {
		return piece
	}
	var b strings.Builder
	b.WriteString("package program\n\nimport (\n")
	for _, name := range slices.Sorted(maps.Keys(known)) { // the same text each time, which the compiler has cached
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(piece) {
			fmt.Fprintf(&b, "\t%s %q\n", name, known[name])
		}
	}
	b.WriteString(")\n\n" + piece)
	return b.String()
}
