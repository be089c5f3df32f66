package yamlread

import (
	"fmt"
	"sync/atomic"
)

// Account is what decoding is charged to. One account may serve any number of
// texts: what stays in memory of one is not given back.
type Account interface {
	// Charge takes bytes of memory before they are used. Its error ends the
	// decoding and is returned as it is.
	Charge(bytes int64) error
	// Release gives back bytes that were charged and are used no more.
	Release(bytes int64)
}

// Budget is an Account with a fixed number of bytes. It is safe for concurrent
// use.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// DefaultMemory is the budget of a text that is read without an account.
const DefaultMemory = 128 << 20

// NewBudget returns a Budget of limit bytes; 0 means DefaultMemory, a negative
// limit means none.
func NewBudget(limit int64) *Budget {
	switch {
	case limit == 0:
		limit = DefaultMemory
	case limit < 0:
		limit = 1 << 62
	}
	return &Budget{limit: limit}
}

// Charge implements Account. It fails with a *LimitError.
func (b *Budget) Charge(bytes int64) error {
	if used := b.used.Add(bytes); used > b.limit || used < 0 {
		b.used.Add(-bytes)
		return &LimitError{Limit: LimitMemory, Max: b.limit}
	}
	return nil
}

// Release implements Account.
func (b *Budget) Release(bytes int64) { b.used.Add(-bytes) }

// Used returns how many bytes are charged.
func (b *Budget) Used() int64 { return b.used.Load() }

// Names of the limits in a LimitError: fields of render.Limits.
const (
	LimitMemory = "MemoryBytes"
	LimitDepth  = "DocumentDepth"
)

// LimitError is returned for a text that costs more than it may.
type LimitError struct {
	Limit string // LimitMemory or LimitDepth
	Max   int64  // bytes or levels
}

func (e *LimitError) Error() string {
	if e.Limit == LimitDepth {
		return fmt.Sprintf("YAML nests deeper than %d levels (limit %s)", e.Max, e.Limit)
	}
	return fmt.Sprintf("YAML takes more than %d bytes of memory, aliases expanded (limit %s)", e.Max, e.Limit)
}
