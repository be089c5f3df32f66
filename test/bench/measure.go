package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// figures is the cost of one operation of one peer.
type figures struct {
	// Round is which repetition of its section this is: figures of several peers in
	// the same round are compared as a pair.
	Round int           `json:"round"`
	Wall  time.Duration `json:"wall"`
	// CPU is user and system time of the measured process only.
	CPU time.Duration `json:"cpu"`
	// Peak is the highest resident memory since the process started, and Idle
	// the same before it did anything; bytes, 0 if unknown.
	Peak int64 `json:"peak"`
	Idle int64 `json:"idle"`
	// Rest is the resident memory after an operation on a fleet, when the garbage is
	// collected; bytes.
	Rest int64 `json:"rest,omitempty"`
	// Restored is how long each edit by another client lasted, sorted.
	Restored []time.Duration `json:"restored,omitempty"`
	// Requests by verb; bytes of bodies.
	Requests map[string]int `json:"requests"`
	Sent     int64          `json:"sent"`
	Received int64          `json:"received"`
	// Ended is when the operation returned, by the machine's clock.
	Ended time.Time `json:"ended"`
	// Count is the number of results, if that is to be checked, such as listed
	// releases.
	Count int `json:"count,omitempty"`
}

// total of all verbs.
func (f figures) total() int {
	n := 0
	for _, count := range f.Requests {
		n += count
	}
	return n
}

// cpuTime returns the CPU time of this process so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMemory returns the process's highest resident size so far, in bytes. It is
// read from /proc, because the maximum of getrusage is inherited from the parent
// process.
func peakMemory() int64 { return procStatus("VmHWM") }

// restMemory returns the process's resident size without garbage, in bytes.
func restMemory() int64 {
	debug.FreeOSMemory()
	return procStatus("VmRSS")
}

// procStatus returns a size of /proc/self/status in bytes; 0: unknown.
func procStatus(name string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(lines.Text(), name+": %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// measure runs work and returns its cost.
func measure(t *traffic, idle int64, work func() (int, error)) (figures, error) {
	runtime.GC() // so that earlier garbage is not collected during work
	t.reset()
	cpu, start := cpuTime(), time.Now()
	count, err := work()
	ended := time.Now()
	f := figures{Wall: ended.Sub(start), CPU: cpuTime() - cpu, Peak: peakMemory(), Idle: idle, Ended: ended, Count: count}
	f.Requests, f.Sent, f.Received = t.counted()
	return f, err
}
