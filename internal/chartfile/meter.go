package chartfile

import (
	"context"
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Limits bound what one use of a chart may cost: processing its dependencies,
// combining values, checking schemas. All must be set.
type Limits struct {
	Steps       int64 // of processing dependencies and combining values
	SchemaSteps int64 // of compiling schemas and validating against them
	MemoryBytes int64 // of combined values, a schema and its errors, and what else the account has
	ChartBytes  int64 // of the templates of all enabled subcharts
}

// LimitError reports the limit that a use of a chart exceeded.
type LimitError struct {
	Limit   string // the field of [Limits]
	Max     int64
	Subject string // what exceeded it
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("limit %s (%d) exceeded by %s", e.Limit, e.Max, e.Subject)
}

// Meter counts the cost of one use of a chart against its limits. After the
// first limit exceeded, or when the context has ended, it refuses all further
// work and keeps the reason in err. It belongs to one goroutine.
type Meter struct {
	ctx     context.Context
	limits  Limits
	memory  yamlread.Account
	subject string
	err     error

	steps int64

	schemaSteps, schemaBytes int64
	errorBytes               int64 // what an error of the validation that runs takes
}

// endedError is the end of the context.
type endedError struct{ error }

func (e *endedError) Unwrap() error { return e.error }

// NewMeter returns a meter at zero. Memory is charged to the account, that of a
// render for example; nil means one of its own.
func NewMeter(ctx context.Context, limits Limits, memory yamlread.Account) *Meter {
	if memory == nil {
		memory = yamlread.NewBudget(limits.MemoryBytes)
	}
	return &Meter{ctx: ctx, limits: limits, memory: memory, subject: "the values of the chart and its subcharts"}
}

// step charges n steps, and reports whether work may go on.
func (m *Meter) step(n int) bool {
	if m.err != nil {
		return false
	}
	before := m.steps >> 10
	if m.steps += int64(n); m.steps > m.limits.Steps {
		m.err = &LimitError{Limit: "Steps", Max: m.limits.Steps, Subject: m.subject}
	} else if m.steps>>10 != before && m.ctx.Err() != nil {
		m.err = &endedError{context.Cause(m.ctx)}
	}
	return m.err == nil
}

const (
	// entryBytes is what an entry of a map or an item of a list takes, with the
	// room that maps and garbage collection need besides.
	entryBytes = 128
	// subchartEntries is what a subchart takes under one more alias: its copy, its
	// part of the data of a render, its compiled templates.
	subchartEntries = 64
)

// take charges memory for n entries, and reports whether work may go on.
func (m *Meter) take(n int) bool {
	return m.step(n) && m.charge(int64(n)*entryBytes, m.subject)
}

// importDepth bounds how deep an import-values may put a table, because merging
// values follows them by recursion: 1,000 with the default of Steps, and as much
// again in each chart above.
func (m *Meter) importDepth(n int) bool {
	if m.err == nil && int64(n) > min(m.limits.Steps/50_000, 100_000) {
		m.err = &LimitError{Limit: "Steps", Max: m.limits.Steps, Subject: "a parent of import-values that nests too deep"}
	}
	return m.err == nil
}

func (m *Meter) charge(bytes int64, subject string) bool {
	if m.err == nil && m.memory.Charge(bytes) != nil {
		m.err = &LimitError{Limit: "MemoryBytes", Max: m.limits.MemoryBytes, Subject: subject}
	}
	return m.err == nil
}
