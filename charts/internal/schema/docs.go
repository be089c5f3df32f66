package schema

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
)

// Docs are the comments of fields, each on one line, by "Type.Field".
type Docs map[string]string

// ReadDocs reads the comments of all structs in the Go files of a directory.
func ReadDocs(fsys fs.FS, pattern string) (Docs, error) {
	paths, err := fs.Glob(fsys, pattern)
	if err != nil {
		return nil, fmt.Errorf("schema: read docs: %w", err)
	}
	docs := Docs{}
	for _, path := range paths {
		source, err := fs.ReadFile(fsys, path)
		if err != nil {
			return nil, fmt.Errorf("schema: read docs: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Base(path), source, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("schema: read docs: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if structure, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range structure.Fields.List {
					for _, name := range field.Names {
						docs[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
					}
				}
			}
			return false
		})
	}
	return docs, nil
}
