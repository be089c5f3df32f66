// Package account counts what one render spends: memory, output and steps.
//
// Everything that an untrusted chart makes is charged to the [Account] of its
// render before it is made: results of template functions, output, decoded
// documents and values alike. An account belongs to one goroutine.
package account

import (
	"context"
	"fmt"
	"math"
)

// Limits bound one render. A zero field means the default named with it, a
// negative one no limit. The names are those of render.Limits.
type Limits struct {
	// MemoryBytes is how much memory may be taken in all: 128 MiB.
	MemoryBytes int64
	// OutputBytes is how many bytes the templates may print in all: 64 MiB.
	OutputBytes int64
	// ResultBytes is how many bytes one function may return: 16 MiB. A sixteenth
	// of it is how many elements.
	ResultBytes int64
	// Steps is how many actions may be run, functions counted by their work:
	// 50 million. A step is about 20 ns.
	Steps int64
	// TemplateDepth is how deep templates and values may nest: 10,000.
	TemplateDepth int
	// Keys is how many keys, certificates and slow hashes may be made: 64.
	Keys int
}

// unlimited leaves room for sums.
const unlimited = int64(1) << 61

func pick(limit, standard int64) int64 {
	switch {
	case limit == 0:
		return standard
	case limit < 0:
		return unlimited
	}
	return limit
}

// WithDefaults returns the limits in effect.
func (l Limits) WithDefaults() Limits {
	return Limits{
		MemoryBytes:   pick(l.MemoryBytes, 128<<20),
		OutputBytes:   pick(l.OutputBytes, 64<<20),
		ResultBytes:   pick(l.ResultBytes, 16<<20),
		Steps:         pick(l.Steps, 50_000_000),
		TemplateDepth: int(pick(int64(l.TemplateDepth), 10_000)),
		Keys:          int(pick(int64(l.Keys), 64)),
	}
}

// Account is what one render has spent of its limits.
type Account struct {
	limits Limits
	ctx    context.Context
	memory int64
	output int64
	steps  int64
	keys   int
}

// New returns an account that ends with ctx.
func New(ctx context.Context, limits Limits) *Account {
	return &Account{limits: limits.WithDefaults(), ctx: ctx}
}

// Limits returns the limits in effect.
func (a *Account) Limits() Limits { return a.limits }

// Context returns the context that ends the render.
func (a *Account) Context() context.Context { return a.ctx }

// Steps returns how many steps were spent.
func (a *Account) Steps() int64 { return a.steps }

// Memory returns how many bytes are charged.
func (a *Account) Memory() int64 { return a.memory }

// Charge takes bytes of memory before they are used.
func (a *Account) Charge(bytes int64) error {
	if bytes < 0 || a.memory+bytes > a.limits.MemoryBytes {
		return &LimitError{Limit: "MemoryBytes", Max: a.limits.MemoryBytes}
	}
	a.memory += bytes
	return nil
}

// Release gives back bytes that were charged and are used no more.
func (a *Account) Release(bytes int64) { a.memory -= bytes }

// Print takes bytes of output, which are memory, too.
func (a *Account) Print(bytes int64) error {
	a.output += bytes
	if a.output > a.limits.OutputBytes {
		return &LimitError{Limit: "OutputBytes", Max: a.limits.OutputBytes}
	}
	return a.Charge(bytes)
}

// Step takes one step. Now and then it looks at the context.
func (a *Account) Step() error {
	a.steps++
	if a.steps&0xff == 0 {
		return a.check()
	}
	return nil
}

// Work takes n steps before they are done.
func (a *Account) Work(n int64) error {
	if n < 0 || n > a.limits.Steps-a.steps {
		return &LimitError{Limit: "Steps", Max: a.limits.Steps}
	}
	before := a.steps >> 8
	a.steps += n
	if a.steps>>8 != before {
		return a.check()
	}
	return nil
}

// Key takes one key, certificate or slow hash.
func (a *Account) Key() error {
	a.keys++
	if a.keys > a.limits.Keys {
		return &LimitError{Limit: "Keys", Max: int64(a.limits.Keys)}
	}
	return a.Err()
}

func (a *Account) check() error {
	if a.steps > a.limits.Steps {
		return &LimitError{Limit: "Steps", Max: a.limits.Steps}
	}
	return a.Err()
}

// Err reports whether the context has ended, as a breach of the limit Time.
func (a *Account) Err() error {
	if err := a.ctx.Err(); err != nil {
		return &LimitError{Limit: "Time", Err: err}
	}
	return nil
}

// LimitError is returned for what would exceed a limit.
type LimitError struct {
	// Limit is the field of render.Limits.
	Limit string
	// Max is its value in bytes, steps, levels or keys; 0 for Time.
	Max int64
	// Err is why the context ended, for Time.
	Err error
}

func (e *LimitError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("limit %s exceeded: %v", e.Limit, e.Err)
	case e.Max <= 0 || e.Max >= math.MaxInt64>>2:
		return fmt.Sprintf("limit %s exceeded", e.Limit)
	}
	return fmt.Sprintf("limit %s (%d) exceeded", e.Limit, e.Max)
}

// Unwrap returns the error of the context, or nil.
func (e *LimitError) Unwrap() error { return e.Err }
