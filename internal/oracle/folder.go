package oracle

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ShapesBelow are the charts of a folder, at any depth, without those within charts;
// they are named by their path.
func ShapesBelow(folder string) ([]Shape, error) {
	var out []Shape
	inside := "" // of a chart, with a slash at its end
	fsys := os.DirFS(folder)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || inside != "" && strings.HasPrefix(name, inside) {
			return err
		}
		if _, err := fs.Stat(fsys, path.Join(name, "Chart.yaml")); err != nil {
			return nil // a folder of charts
		}
		inside = name + "/"
		shape := Shape{Name: strings.ReplaceAll(name, "/", "-"), Dir: filepath.Join(folder, filepath.FromSlash(name))}
		out = append(out, shape)
		return nil
	})
	return out, err
}
