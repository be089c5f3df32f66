package render

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

const lookingUp = `{{ $x := lookup "v1" "Secret" "" "" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
`

// turns are the renders and loads under one budget, each of which pauses in the
// middle for a second.
type turns struct {
	budget *Budget
	limits Limits

	mu      sync.Mutex
	order   []string // of those that have got their memory
	running int
	most    int
}

func (s *turns) pause(tenant string, during func()) {
	s.mu.Lock()
	s.order = append(s.order, tenant)
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	if during != nil {
		during()
	}
	time.Sleep(time.Second)
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
}

func (s *turns) free(t *testing.T) {
	t.Helper()
	if bytes, waiting := s.budget.InUse(); bytes != 0 || waiting != 0 {
		t.Errorf("%d bytes are in use, %d requests wait", bytes, waiting)
	}
}

// tenants render a chart.
type tenants struct {
	turns
	chart *Chart
}

func newTenants(t *testing.T, atOnce int64) *tenants {
	t.Helper()
	chart, err := LoadFS(fstest.MapFS{
		"Chart.yaml": {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")}, "templates/x.yaml": {Data: []byte(lookingUp)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &tenants{turns{budget: NewBudget(atOnce << 20), limits: Limits{MemoryBytes: 1 << 20}}, chart}
}

func (s *tenants) render(ctx context.Context, tenant string, during func()) error {
	_, err := s.chart.Render(ctx, Input{
		Name: "demo", Limits: s.limits, Share: s.budget.Share(tenant),
		Lookup: func(context.Context, string, string, string, string) (map[string]any, error) {
			s.pause(tenant, during)
			return nil, nil
		},
	})
	return err
}

func TestOneTenantDoesNotStarveOthers(t *testing.T) {
	s := newTenants(t, 1)
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		start := func(tenant string) {
			all.Go(func() {
				if err := s.render(t.Context(), tenant, nil); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 20 {
			start("many")
		}
		start("one")
		start("two")
		start("two")
		all.Wait()
	})
	if want := []string{"many", "one", "two", "many", "two", "many"}; !slices.Equal(s.order[:6], want) {
		t.Errorf("served %v", s.order)
	}
	if s.most != 1 || len(s.order) != 23 {
		t.Errorf("%d at once, %d in all", s.most, len(s.order))
	}
	s.free(t)
}

// The time that a render waits is not part of its own.
func TestWaitingIsNotRendering(t *testing.T) {
	s := newTenants(t, 2)
	s.limits.Time = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if err := s.render(t.Context(), fmt.Sprint(i%3), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	if s.most != 2 {
		t.Errorf("%d at once", s.most)
	}
	s.free(t)
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	s := newTenants(t, 1)
	gaveUp := errors.New("gave up")
	err := s.render(t.Context(), "a", func() {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gaveUp)
		err := s.render(ctx, "b", nil)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, gaveUp) {
			t.Errorf("%v", err)
		}
	})
	if err != nil || len(s.order) != 1 {
		t.Errorf("%v, %v", err, s.order)
	}
	s.free(t)
}

func TestLargerThanTheBudget(t *testing.T) {
	s := newTenants(t, 1)
	s.limits.MemoryBytes = 2 << 20
	var limit *LimitError
	if err := s.render(t.Context(), "a", nil); !errors.As(err, &limit) || limit.Limit != "Budget" ||
		!strings.Contains(err.Error(), `limit Budget (1 MiB) exceeded by one call of tenant "a"`) {
		t.Errorf("%v", err)
	}
	s.limits.MemoryBytes = -1
	if err := s.render(t.Context(), "a", nil); !errors.As(err, &limit) {
		t.Errorf("without a limit of memory: %v", err)
	}
	s.free(t)
}

func TestPanicsAndErrorsGiveBack(t *testing.T) {
	s := newTenants(t, 1)
	func() {
		defer func() { _ = recover() }()
		_ = s.render(t.Context(), "a", func() { panic("lookup") })
	}()
	s.free(t)
	s.limits.Steps = 1
	if err := s.render(t.Context(), "a", nil); err == nil {
		t.Error("no error")
	}
	s.free(t)
}

// A kustomization as post-renderer uses the memory of its render, and never waits
// for more while it holds that.
func TestBuildInsideOfRender(t *testing.T) {
	s := newTenants(t, 4)
	overlay := Kustomize(fstest.MapFS{"kustomization.yaml": {Data: []byte("nameSuffix: -x\n")}}, ".")
	alone, err := LoadKustomizationWith(t.Context(), fstest.MapFS{
		"kustomization.yaml": {Data: []byte("resources: [x.yaml]\n")}, "x.yaml": {Data: []byte(hostileObject)},
	}, ".", KustomizeOptions{Limits: s.limits, Share: s.budget.Share("loader")})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 12 {
		share := s.budget.Share(fmt.Sprint(i % 4))
		all.Go(func() {
			in := Input{Name: "demo", Limits: s.limits, Share: share, PostRender: []PostRenderer{overlay, alone}}
			m, err := s.chart.Render(t.Context(), in)
			if err != nil || len(m.Objects) != 2 {
				t.Errorf("%v", err)
			}
		})
		all.Go(func() {
			if _, err := alone.Render(t.Context(), Input{Name: "demo", Limits: s.limits, Share: share}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := alone.PostRender(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.free(t)
}

const hostileObject = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n"

// What a caller reserves covers what it calls, once it is given back it does not.
func TestNestedAcquire(t *testing.T) {
	budget := NewBudget(10)
	outer, release, err := budget.Share("a").Acquire(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	inner, innerRelease, err := budget.Share("b").Acquire(outer, 10)
	if err != nil || TenantOf(inner) != "a" {
		t.Fatal(err, TenantOf(inner))
	}
	release()
	release()
	if bytes, _ := budget.InUse(); bytes != 10 {
		t.Errorf("%d in use while the inner call runs", bytes)
	}
	innerRelease()
	innerRelease()
	if bytes, _ := budget.InUse(); bytes != 0 {
		t.Errorf("%d in use", bytes)
	}
	_, again, err := budget.Share("a").Acquire(outer, 4)
	if err != nil {
		t.Fatal(err)
	}
	if bytes, _ := budget.InUse(); bytes != 4 {
		t.Errorf("%d in use", bytes)
	}
	again()
	if _, release, err := (*Share)(nil).Acquire(t.Context(), 1<<40); err != nil {
		t.Error(err)
	} else {
		release()
	}
}
