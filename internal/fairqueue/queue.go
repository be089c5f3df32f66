// Package fairqueue shares a number of units, such as bytes of memory or the one
// place of a builder that runs alone, between tenants.
//
// What does not fit waits. Tenants take turns, weighted by what they take, and
// within one tenant the first request is served first (start-time fair queueing).
// The request whose turn it is blocks all others until it fits, so that small
// requests do not starve a large one.
package fairqueue

import (
	"context"
	"sync"
)

// Queue is safe for concurrent use. Make one with New.
type Queue struct {
	capacity int64

	mu      sync.Mutex
	used    int64
	virtual int64 // the start of the request that was granted last
	tenants map[string]*tenant
	arrived int64 // counts requests that wait, for ties
}

// tenant is one that waits, or whose last request started ahead of others.
type tenant struct {
	start   int64 // of its next request
	waiting []*request
}

type request struct {
	units   int64
	order   int64
	granted chan struct{}
}

// New returns a queue of so many units.
func New(capacity int64) *Queue {
	return &Queue{capacity: capacity, tenants: map[string]*tenant{}}
}

// Capacity returns how many units there are.
func (q *Queue) Capacity() int64 { return q.capacity }

// Used returns how many units are taken.
func (q *Queue) Used() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}

// Waiting returns how many requests wait.
func (q *Queue) Waiting() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.tenants {
		n += len(t.waiting)
	}
	return n
}

// Acquire takes units for a tenant and waits until they are free. It fails only
// when ctx ends, with its cause, and takes nothing then. Units must not exceed the
// capacity; give them back with Release.
func (q *Queue) Acquire(ctx context.Context, name string, units int64) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := &request{units: units, granted: make(chan struct{})}
	q.enqueue(name, r)
	select {
	case <-r.granted:
		return nil
	case <-ctx.Done():
	}
	if !q.withdraw(name, r) { // it was granted meanwhile
		q.Release(units)
	}
	return context.Cause(ctx)
}

// Release gives units back.
func (q *Queue) Release(units int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used -= units
	q.grant()
}

func (q *Queue) enqueue(name string, r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.tenants[name]
	if t == nil {
		t = &tenant{}
		q.tenants[name] = t
	}
	if len(t.waiting) == 0 {
		t.start = max(t.start, q.virtual)
	}
	q.arrived++
	r.order = q.arrived
	t.waiting = append(t.waiting, r)
	q.grant()
}

// withdraw takes a request back. It is false for one that was granted.
func (q *Queue) withdraw(name string, r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.tenants[name]
	if t == nil {
		return false
	}
	for i, other := range t.waiting {
		if other == r {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			q.grant() // the next one may be smaller
			return true
		}
	}
	return false
}

// grant serves those whose turn it is, as long as they fit.
func (q *Queue) grant() {
	for {
		t := q.next()
		if t == nil && q.used == 0 {
			clear(q.tenants)
			q.virtual = 0
		}
		if t == nil || t.waiting[0].units > q.capacity-q.used {
			return
		}
		r := t.waiting[0]
		t.waiting = t.waiting[1:]
		q.used += r.units
		q.virtual = t.start
		t.start += max(r.units, 1)
		close(r.granted)
	}
}

// next returns the tenant whose turn it is, nil if none waits. It forgets tenants
// that are no longer ahead of others.
func (q *Queue) next() (next *tenant) {
	for name, t := range q.tenants {
		switch {
		case len(t.waiting) == 0:
			if t.start <= q.virtual {
				delete(q.tenants, name)
			}
		case next == nil || t.start < next.start || t.start == next.start && t.waiting[0].order < next.waiting[0].order:
			next = t
		}
	}
	return next
}
