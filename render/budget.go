package render

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/fairlead-dev/fairlead/internal/fairqueue"
)

// Budget is the memory that the renders, kustomize builds and loads of a program
// share. What does not fit waits, and tenants take turns, so that one with many
// large charts does not keep the others waiting. It is safe for concurrent use.
//
// A render takes its Limits.MemoryBytes for as long as it runs, twice that if it
// has post-renderers; a build, and the loading of a chart or a kustomization, take
// that once. The time that it waits is not part of Limits.Time. Charts that stay
// loaded and manifests that are kept are the caller's, and not counted.
type Budget struct {
	queue *fairqueue.Queue
}

// NewBudget returns a budget of so many bytes. What asks for more than that fails
// with a [*LimitError] at once.
func NewBudget(bytes int64) *Budget {
	return &Budget{fairqueue.New(max(bytes, 0))}
}

// InUse returns how many bytes are taken, and how many requests wait.
func (b *Budget) InUse() (bytes int64, waiting int) {
	return b.queue.Used(), b.queue.Waiting()
}

// Share returns the budget as one tenant uses it. The name stands for a customer,
// a team, a namespace: whatever is to be served fairly. Tenants take turns by how
// much they take; within one, what waits longest is served first.
func (b *Budget) Share(tenant string) *Share { return &Share{b, tenant} }

// Share is a tenant's access to a [Budget]. Nil is no budget: nothing waits.
type Share struct {
	budget *Budget
	tenant string
}

// Tenant returns the name that the share was made with; "" for nil.
func (s *Share) Tenant() string {
	if s == nil {
		return ""
	}
	return s.tenant
}

// Acquire takes bytes for work of the caller's own and waits until they are free;
// release gives them back, and may be called again. Renders, builds and loads under
// the context that is returned are part of that work: they take nothing more of the
// same budget. It fails with a [*LimitError] for more bytes than the budget has,
// and with the context's cause when that ends.
func (s *Share) Acquire(ctx context.Context, bytes int64) (inside context.Context, release func(), err error) {
	if s == nil {
		return ctx, func() {}, nil
	}
	if outer := reservationOf(ctx); outer != nil && outer.share.budget == s.budget && outer.retain() {
		return ctx, sync.OnceFunc(outer.release), nil
	}
	if most := s.budget.queue.Capacity(); bytes > most {
		return nil, nil, &LimitError{Limit: limitBudget, Max: most, Subject: "one call of tenant " + strconv.Quote(shorten(s.tenant, 80))}
	}
	bytes = max(bytes, 0)
	if err := s.budget.queue.Acquire(ctx, s.tenant, bytes); err != nil {
		return nil, nil, err
	}
	r := &reservation{share: s, bytes: bytes}
	r.users.Store(1)
	return context.WithValue(ctx, reservationKey{}, r), sync.OnceFunc(r.release), nil
}

// limitBudget is the limit of a LimitError for what no budget has room for.
const limitBudget = "Budget"

// reservation is memory that was taken from a budget. It is given back when no
// one uses it any more: a build may go on after the call has returned.
type reservation struct {
	share *Share
	bytes int64
	users atomic.Int64
}

type reservationKey struct{}

func reservationOf(ctx context.Context) *reservation {
	r, _ := ctx.Value(reservationKey{}).(*reservation)
	return r
}

// retain adds a user. It is false for memory that was given back already.
func (r *reservation) retain() bool {
	for {
		users := r.users.Load()
		if users == 0 {
			return false
		}
		if r.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
}

func (r *reservation) release() {
	if r.users.Add(-1) == 0 {
		r.share.budget.queue.Release(r.bytes)
	}
}

// TenantOf returns the tenant whose share the work under the context uses; "" where
// there is none.
func TenantOf(ctx context.Context) string {
	if r := reservationOf(ctx); r != nil {
		return r.share.tenant
	}
	return ""
}

// tenantOf returns whose work runs under the context, and keeps the memory that it
// was given until done is called.
func tenantOf(ctx context.Context) (tenant string, done func()) {
	r := reservationOf(ctx)
	if r == nil {
		return "", func() {}
	}
	if !r.retain() {
		return r.share.tenant, func() {}
	}
	return r.share.tenant, sync.OnceFunc(r.release)
}
