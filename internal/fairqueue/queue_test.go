package fairqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// waits starts a request and returns once it waits.
func waits(t *testing.T, q *Queue, ctx context.Context, tenant string, units int64, then func(error)) {
	t.Helper()
	go func() { then(q.Acquire(ctx, tenant, units)) }()
	synctest.Wait()
}

// served queues the requests, in this order, behind one that holds everything,
// and returns the order in which they are served one at a time.
func served(t *testing.T, requests ...string) (order []string) {
	synctest.Test(t, func(t *testing.T) {
		q := New(1)
		if err := q.Acquire(t.Context(), "first", 1); err != nil {
			t.Fatal(err)
		}
		for i, tenant := range requests {
			waits(t, q, t.Context(), tenant, 1, func(err error) {
				if err != nil {
					t.Error(err)
				}
				order = append(order, fmt.Sprint(tenant, i))
				q.Release(1)
			})
		}
		q.Release(1)
		synctest.Wait()
		if q.Used() != 0 || q.Waiting() != 0 {
			t.Errorf("%d are used, %d wait", q.Used(), q.Waiting())
		}
	})
	return order
}

func TestTenantsTakeTurns(t *testing.T) {
	for _, test := range []struct{ requests, want []string }{
		{[]string{"a", "a", "a", "b", "b", "c"}, []string{"a0", "b3", "c5", "a1", "b4", "a2"}},
		{[]string{"a", "a", "a"}, []string{"a0", "a1", "a2"}},
		{[]string{"b", "a", "b", "a"}, []string{"b0", "a1", "b2", "a3"}},
	} {
		if got := served(t, test.requests...); !slices.Equal(got, test.want) {
			t.Errorf("%v are served as %v, not %v", test.requests, got, test.want)
		}
	}
}

// A tenant that took much before waits for those that took little.
func TestTurnsAreWeighted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(10)
		if err := q.Acquire(t.Context(), "first", 10); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		take := func(tenant string, units int64) {
			waits(t, q, t.Context(), tenant, units, func(error) {
				mu.Lock()
				order = append(order, fmt.Sprint(tenant, units))
				mu.Unlock()
				time.Sleep(time.Second)
				q.Release(units)
			})
		}
		take("a", 10)
		take("a", 9)
		for range 3 {
			take("b", 3)
		}
		take("b", 4)
		q.Release(10)
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"a10", "b3", "b3", "b3", "b4", "a9"}; !slices.Equal(order, want) {
			t.Errorf("served %v, not %v", order, want)
		}
	})
}

// Small requests of others do not starve a large one.
func TestLargeRequestIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(100)
		ctx, cancel := context.WithCancel(t.Context())
		var small sync.WaitGroup
		for i := range 50 {
			small.Go(func() {
				for q.Acquire(ctx, fmt.Sprint("small", i), 10) == nil {
					time.Sleep(time.Second)
					q.Release(10)
				}
			})
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		if err := q.Acquire(t.Context(), "large", 100); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("a request for everything waited %s", took)
		}
		q.Release(100)
		cancel()
		small.Wait()
	})
}

func TestContextEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(10)
		if err := q.Acquire(t.Context(), "a", 6); err != nil {
			t.Fatal(err)
		}
		gaveUp := errors.New("gave up")
		ctx, cancel := context.WithCancelCause(t.Context())
		var large, small error = nil, errors.New("still waits")
		waits(t, q, ctx, "b", 10, func(err error) { large = err })
		waits(t, q, t.Context(), "c", 4, func(err error) { small = err })
		if q.Waiting() != 2 {
			t.Errorf("%d wait", q.Waiting())
		}
		cancel(gaveUp)
		synctest.Wait()
		if !errors.Is(large, gaveUp) || small != nil || q.Used() != 10 || q.Waiting() != 0 {
			t.Errorf("%v, %v, %d used, %d wait", large, small, q.Used(), q.Waiting())
		}
		if err := q.Acquire(ctx, "a", 0); !errors.Is(err, gaveUp) {
			t.Errorf("%v, of a context that has ended", err)
		}
		q.Release(10)
	})
}

// Whatever happens at once, no more than the capacity is taken, all of it comes
// back, and nothing is kept of tenants that are gone.
func TestConcurrentUse(t *testing.T) {
	const capacity = 100
	q := New(capacity)
	var used atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 300 {
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(4) == 0 {
					go cancel()
				}
				units := random.Int64N(capacity) + 1
				if q.Acquire(ctx, fmt.Sprint(random.IntN(8)), units) == nil {
					if now := used.Add(units); now > capacity {
						t.Errorf("%d are taken", now)
					}
					used.Add(-units)
					q.Release(units)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if err := q.Acquire(context.Background(), "last", capacity); err != nil {
		t.Fatal(err)
	}
	q.Release(capacity)
	if q.Used() != 0 || q.Waiting() != 0 || len(q.tenants) > 0 {
		t.Errorf("%d used, %d wait, %d tenants are kept", q.Used(), q.Waiting(), len(q.tenants))
	}
}
