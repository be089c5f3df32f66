package render

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// slowLoads are the ways to load a chart.
type slowLoads struct {
	turns
	packed []byte
}

func newSlowLoads(t *testing.T) *slowLoads {
	t.Helper()
	return &slowLoads{
		turns{budget: NewBudget(1 << 20), limits: Limits{MemoryBytes: 1 << 20}},
		packed(t, entry{name: "web/Chart.yaml", text: hostileChart}),
	}
}

// pausingFS pauses when Chart.yaml is opened.
type pausingFS struct {
	fs.FS
	pause func()
}

func (f pausingFS) Open(name string) (fs.File, error) {
	if name == "Chart.yaml" {
		f.pause()
	}
	return f.FS.Open(name)
}

// pausingReader pauses when it is read.
type pausingReader struct{ pause func() }

func (r pausingReader) Read([]byte) (int, error) {
	r.pause()
	return 0, io.EOF
}

func (s *slowLoads) fromFS(ctx context.Context, tenant string) error {
	files := fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}}
	_, err := Loader{Limits: s.limits, Share: s.budget.Share(tenant)}.FS(ctx, pausingFS{files, func() { s.pause(tenant, nil) }})
	return err
}

func (s *slowLoads) fromArchive(ctx context.Context, tenant string) error {
	archive := io.MultiReader(pausingReader{func() { s.pause(tenant, nil) }}, bytes.NewReader(s.packed))
	_, err := Loader{Limits: s.limits, Share: s.budget.Share(tenant)}.Archive(ctx, archive)
	return err
}

func TestLoadsOfTenantsTakeTurns(t *testing.T) {
	for name, load := range map[string]func(*slowLoads, context.Context, string) error{
		"file system": (*slowLoads).fromFS, "archive": (*slowLoads).fromArchive,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlowLoads(t)
			synctest.Test(t, func(t *testing.T) {
				var all sync.WaitGroup
				start := func(tenant string) {
					all.Go(func() {
						if err := load(s, t.Context(), tenant); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				for range 10 {
					start("many")
				}
				start("few")
				start("few")
				all.Wait()
			})
			if want := []string{"many", "few", "many", "few", "many"}; !slices.Equal(s.order[:5], want) {
				t.Errorf("served %v", s.order)
			}
			if s.most != 1 || len(s.order) != 12 {
				t.Errorf("%d at once, %d in all", s.most, len(s.order))
			}
			s.free(t)
		})
	}
}

// A load waits for a render of the same budget.
func TestLoadWaitsForRender(t *testing.T) {
	s := newTenants(t, 1)
	synctest.Test(t, func(t *testing.T) {
		var loaded error
		var all sync.WaitGroup
		begin := time.Now()
		err := s.render(t.Context(), "a", func() {
			all.Go(func() {
				_, loaded = Loader{Limits: s.limits, Share: s.budget.Share("b")}.Files(t.Context(), s.chart.Info().Files)
				if waited := time.Since(begin); waited != time.Second {
					t.Errorf("the load waited %s", waited)
				}
			})
			synctest.Wait()
			if _, waiting := s.budget.InUse(); waiting != 1 {
				t.Errorf("%d requests wait", waiting)
			}
		})
		all.Wait()
		if err := errors.Join(err, loaded); err != nil {
			t.Error(err)
		}
	})
	s.free(t)
}

func TestLoadsThatGetNoMemory(t *testing.T) {
	s := newSlowLoads(t)
	inside, release, err := s.budget.Share("a").Acquire(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.fromArchive(inside, "a"); err != nil {
		t.Errorf("a load as part of what was acquired: %v", err)
	}
	gaveUp := errors.New("gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	var e *Error
	if err := s.fromFS(ctx, "b"); !errors.As(err, &e) || e.Op != "load" || !errors.Is(err, gaveUp) {
		t.Errorf("a load whose context ended while it waited: %v", err)
	}
	release()
	s.limits.MemoryBytes = 2 << 20
	var limit *LimitError
	if err := s.fromFS(t.Context(), "a"); !errors.As(err, &limit) || limit.Limit != "Budget" || !strings.Contains(err.Error(), "give the Budget more bytes") {
		t.Errorf("a load that never fits: %v", err)
	}
	if want := []string{"a"}; !slices.Equal(s.order, want) {
		t.Errorf("%v have begun", s.order)
	}
	s.free(t)
}

// Loading ends with the context also where there is no budget.
func TestLoadEndsWithTheContext(t *testing.T) {
	gaveUp := errors.New("gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	files := pausingFS{fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}, "values.yaml": {}}, func() { cancel(gaveUp) }}
	var e *Error
	if _, err := (Loader{}).FS(ctx, files); !errors.As(err, &e) || !errors.Is(err, gaveUp) {
		t.Errorf("%v", err)
	}
}
