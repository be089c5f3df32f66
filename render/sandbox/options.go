package sandbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// Options of a pool.
type Options struct {
	// Children is how many renders run at once, each in its own child. More wait, and
	// tenants of a [render.Budget] take turns. Zero or less means 2.
	Children int
	// MemoryBytes is the address space of a child, above what the program has when
	// it starts, the compiled charts that it keeps included. Zero or less means
	// 1 GiB; less than 256 MiB counts as 256 MiB.
	MemoryBytes int64
	// CPUTime is the processor time of one call, rounded up to seconds. Zero or less
	// means 60 s.
	CPUTime time.Duration
	// ResultBytes is the size of one message of a child, as JSON. Zero or less means
	// 256 MiB.
	ResultBytes int64
	// Limits of loading. Those of a render are in its input. Zero means safe limits.
	Limits render.Limits
	// BestEffort goes on without what the kernel does not allow: see [Pool.Missing].
	// False: New fails with an [*UnsupportedError] then.
	BestEffort bool
}

const minMemory = 256 << 20

func (o Options) withDefaults() Options {
	if o.Children <= 0 {
		o.Children = 2
	}
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = 1 << 30
	}
	o.MemoryBytes = max(o.MemoryBytes, minMemory)
	if o.CPUTime <= 0 {
		o.CPUTime = time.Minute
	}
	o.CPUTime = (o.CPUTime + time.Second - 1).Truncate(time.Second)
	if o.ResultBytes <= 0 {
		o.ResultBytes = 256 << 20
	}
	o.Limits = o.Limits.WithDefaults()
	return o
}

// Limits of a child, by their name in [render.LimitError].
const (
	// LimitMemory is Options.MemoryBytes.
	LimitMemory = "sandbox memory"
	// LimitStack is the stack of one goroutine, a quarter of Options.MemoryBytes.
	LimitStack = "sandbox stack"
	// LimitCPU is Options.CPUTime.
	LimitCPU = "sandbox CPU time"
	// LimitThreads is the number of threads. Max is 0.
	LimitThreads = "sandbox threads"
	// LimitResult is Options.ResultBytes.
	LimitResult = "sandbox result"
	// LimitProcess is the limit where a child ended in another way: it was killed
	// from outside, it crashed, or it sent what is not a message. Max is 0, and Err
	// says what is known.
	LimitProcess = "sandbox process"
)

// UnsupportedError is returned by [New] where children cannot be confined.
type UnsupportedError struct {
	// GOOS and GOARCH are the platform.
	GOOS, GOARCH string
	// Missing is what the platform or the kernel does not have or does not allow:
	// "system call filter", "network namespace", "thread limit". Empty where there is
	// no sandbox at all.
	Missing []string
	// Err is the kernel's error, if there is one.
	Err error
}

func (e *UnsupportedError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("no sandbox on %s/%s: render in process, within render.Limits", e.GOOS, e.GOARCH)
	}
	s := "the sandbox lacks: " + strings.Join(e.Missing, ", ")
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s + " - allow it to the program, or set Options.BestEffort"
}

// Unwrap returns the kernel's error, or nil.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// The values of UnsupportedError.Missing.
const (
	missingFilter    = "system call filter"
	missingNamespace = "network namespace"
	missingThreads   = "thread limit"
)
