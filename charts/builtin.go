package charts

import (
	"embed"
	"io/fs"
)

// The all: prefix takes in the files whose names begin with an underscore.
//
//go:embed all:webapp all:database
var builtin embed.FS

// Files answers the source of a built-in chart, "webapp" or "database", with Chart.yaml at its root, for whoever wants
// to hand it to other tools: plain Helm can install it. A name that is neither gives an error that matches
// fs.ErrNotExist.
func Files(name string) (fs.FS, error) {
	if _, err := fs.Stat(builtin, name+"/Chart.yaml"); err != nil {
		return nil, err
	}
	return fs.Sub(builtin, name)
}
