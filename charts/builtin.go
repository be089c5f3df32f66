package charts

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"

	"github.com/fairlead-dev/fairlead/render"
)

// The all: prefix takes in the files whose names begin with an underscore.
//
//go:embed all:webapp all:database
var builtin embed.FS

// Parsed at first use, once: a chart is immutable.
var (
	webapp   = sync.OnceValue(func() *render.Chart { return mustLoad("webapp") })
	database = sync.OnceValue(func() *render.Chart { return mustLoad("database") })
)

// WebApp returns the chart webapp: a stateless web application. It takes WebAppValues. The chart is shared, and safe for
// concurrent use.
func WebApp() *render.Chart { return webapp() }

// Database returns the chart database: a stateful database with storage that outlives its pods. It takes DatabaseValues,
// of which a password, or the name of a Secret with one, is required. The chart is shared, and safe for concurrent use.
func Database() *render.Chart { return database() }

// Files returns the source of a built-in chart, "webapp" or "database", with Chart.yaml at its root, for other tools:
// plain Helm can install it. For any other name the error matches fs.ErrNotExist.
func Files(name string) (fs.FS, error) {
	if _, err := fs.Stat(builtin, name+"/Chart.yaml"); err != nil {
		return nil, fmt.Errorf("charts: no built-in chart %q: %w", name, err)
	}
	return fs.Sub(builtin, name)
}

// mustLoad cannot fail on what is compiled in, and the tests show that it does not.
func mustLoad(name string) *render.Chart {
	fsys, err := Files(name)
	if err == nil {
		var chart *render.Chart
		if chart, err = render.LoadFS(fsys); err == nil {
			return chart
		}
	}
	panic(fmt.Sprintf("charts: the built-in chart %s is broken: %v", name, err))
}
