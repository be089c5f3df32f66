package test

import (
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
	"slices"
	"strings"
	"testing"
)

// The public API names no type of the libraries that must stay exchangeable, not
// even through an alias, an embedded field or an internal type.
func TestNoForeignTypesInPublicSignatures(t *testing.T) {
	packages := exported(t, "./render", "./diff", "./charts", "./engine")
	for _, name := range []string{"render", "diff", "charts", "engine"} {
		p, err := packages.Import(module + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range foreignTypes(p) {
			t.Error(found)
		}
	}
}

// foreign are the libraries whose types stay inside.
var foreign = []string{"helm.sh/helm", "github.com/Masterminds/sprig", "sigs.k8s.io/kustomize"}

// exported imports packages and what they bring from the compiler's export
// data.
func exported(t *testing.T, packages ...string) types.Importer {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, packages...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		file := files[path]
		if file == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(file)
	})
}

// foreignTypes returns, sorted, where the exported API of p names a foreign type.
func foreignTypes(p *types.Package) []string {
	w := &walk{seen: map[types.Type]bool{}}
	for _, name := range p.Scope().Names() {
		if object := p.Scope().Lookup(name); object.Exported() {
			w.look(object.Type(), p.Path()+"."+name)
		}
	}
	slices.Sort(w.found)
	return slices.Compact(w.found)
}

// walk follows types as far as a user of the package gets.
type walk struct {
	seen  map[types.Type]bool
	found []string
}

func (w *walk) look(t types.Type, path string) {
	if t == nil {
		return
	}
	if n, ok := t.(interface{ Obj() *types.TypeName }); ok {
		w.named(n.Obj(), path) // every time, so that every place is reported
	}
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		w.look(t.Rhs(), path)
	case *types.Named:
		for i := range t.TypeArgs().Len() {
			w.look(t.TypeArgs().At(i), path)
		}
		if pkg := t.Obj().Pkg(); pkg == nil || !ours(pkg.Path()) {
			return
		}
		w.look(t.Underlying(), path)
		for selection := range types.NewMethodSet(types.NewPointer(t)).Methods() {
			if method := selection.Obj(); method.Exported() {
				w.look(method.Type(), path+"."+method.Name())
			}
		}
	case *types.Pointer:
		w.look(t.Elem(), path)
	case *types.Slice:
		w.look(t.Elem(), path)
	case *types.Array:
		w.look(t.Elem(), path)
	case *types.Chan:
		w.look(t.Elem(), path)
	case *types.Map:
		w.look(t.Key(), path)
		w.look(t.Elem(), path)
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() || field.Embedded() {
				w.look(field.Type(), path+"."+field.Name())
			}
		}
	case *types.Interface:
		for method := range t.Methods() {
			w.look(method.Type(), path+"."+method.Name())
		}
		for embedded := range t.EmbeddedTypes() {
			w.look(embedded, path)
		}
	case *types.Union:
		for term := range t.Terms() {
			w.look(term.Type(), path)
		}
	case *types.TypeParam:
		w.look(t.Constraint(), path)
	case *types.Signature:
		for parameter := range t.TypeParams().TypeParams() {
			w.look(parameter, path)
		}
		for variable := range t.Params().Variables() {
			w.look(variable.Type(), path)
		}
		for variable := range t.Results().Variables() {
			w.look(variable.Type(), path)
		}
	}
}

func (w *walk) named(name *types.TypeName, path string) {
	if name.Pkg() == nil {
		return
	}
	for _, f := range foreign {
		if strings.HasPrefix(name.Pkg().Path(), f) {
			w.found = append(w.found, fmt.Sprintf("%s names %s.%s", path, name.Pkg().Path(), name.Name()))
		}
	}
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// The search finds them wherever they hide.
func TestForeignTypesAreFound(t *testing.T) {
	const source = `package p
import "helm.sh/helm/v3/pkg/chart"
type Alias = chart.File
type inner = chart.Chart
type Field struct { F map[string][]inner; hidden chart.Lock }
type Embedded struct { base }
type base struct{}
func (base) Method(func(chart.Metadata)) {}
type hidden interface { M() *chart.Dependency }
func Result() hidden { return nil }
func Generic[T interface{ *chart.Maintainer }](T) {}
var Inferred = chart.Lock{}
var unexported chart.File
func Inside() { _ = chart.File{} }
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Importer: exported(t, "helm.sh/helm/v3/pkg/chart")}
	p, err := config.Check(module+"/p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(strings.Join(foreignTypes(p), "\n"), module+"/p.", "")
	want := strings.ReplaceAll(`Alias names CHART.File
Embedded.base.Method names CHART.Metadata
Field.F names CHART.Chart
Generic names CHART.Maintainer
Inferred names CHART.Lock
Result.M names CHART.Dependency`, "CHART", "helm.sh/helm/v3/pkg/chart")
	if got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
}
