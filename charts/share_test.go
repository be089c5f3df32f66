package charts

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/fairlead-dev/fairlead/render"
)

// A load takes its memory while it reads a chart, also one that lies packed in
// another's folder charts/.
func TestLoadsShareABudget(t *testing.T) {
	dir := t.TempDir()
	about := "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: part, version: 1.0.0, repository: 'https://charts.test'}]\n"
	write := func(name string, data []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("Chart.yaml", []byte(about))
	part := newPacked(t, "part", "1.0.0")
	write("charts/"+part.file(), part.data)

	budget := render.NewBudget(64 << 20)
	opts := func(tenant string) LoadOptions {
		return LoadOptions{Dependencies: true, Limits: render.Limits{MemoryBytes: 64 << 20}, Share: budget.Share(tenant)}
	}
	synctest.Test(t, func(t *testing.T) {
		_, release, err := budget.Share("other").Acquire(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, tenant := range []string{"a", "a", "b"} {
			all.Go(func() {
				if _, err := Load(t.Context(), dir, opts(tenant)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, waiting := budget.InUse(); waiting != 3 {
			t.Errorf("%d loads wait", waiting)
		}
		release()
		all.Wait()
	})
	if bytes, waiting := budget.InUse(); bytes != 0 || waiting != 0 {
		t.Errorf("%d bytes are in use, %d requests wait", bytes, waiting)
	}
	var limit *render.LimitError
	tooMuch := opts("a")
	tooMuch.Limits.MemoryBytes++
	if _, err := Load(t.Context(), dir, tooMuch); !errors.As(err, &limit) || limit.Limit != "Budget" {
		t.Errorf("a load that never fits: %v", err)
	}
}
