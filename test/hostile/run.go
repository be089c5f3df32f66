//go:build linux

package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Case is one hostile input.
type Case struct {
	// Name says what the input is. Unique within its door.
	Name string
	// Run loads and renders the input with the default limits. It runs in a
	// child. It builds its input itself, so that no child builds all of them.
	Run func(ctx context.Context) error
	// Limit is the field of render.Limits that the error must name. Empty: any
	// typed error, or success.
	Limit string
	// Typed reports whether the door's own error types include err. Nil: only
	// those of package render count.
	Typed func(err error) bool
	// Memory is how many bytes the case may take above what the child has
	// before it. 0 means the default of Limits.MemoryBytes and 64 MiB.
	Memory int64
	// Time is how much processor time the case may take. 0 means twice the default
	// of Limits.Time.
	Time time.Duration
	// template is whether a template is the input.
	template bool
	// Always runs the case in the shortened form, too.
	Always bool
}

const (
	addressSpace  = 1 << 30
	defaultMemory = (128 + 64) << 20
	// maxTime is twice the default of Limits.Time, in processor time.
	maxTime = 60 * time.Second
	// hangs is the wall time after which a child counts as hung. It is much
	// longer, because other work may share the machine.
	hangs     = 5 * time.Minute
	batchSize = 25
	shortened = 12

	childEnv = "FAIRLEAD_HOSTILE_CHILD"
	// allEnv, when set, runs all cases and not only the shortened form.
	allEnv = "FAIRLEAD_HOSTILE_ALL"
	// onlyEnv is a regular expression: all cases whose name it matches run.
	onlyEnv = "FAIRLEAD_HOSTILE_ONLY"
)

// outcome is what a child reports of one case.
type outcome struct {
	Case  int
	Took  time.Duration // processor time
	Peak  int64         // bytes above the resident size before
	Error string        // of the case; empty for success
	Fault string        // what is wrong with it; empty: nothing
}

// Run runs the cases of one door in children. It must be called once in a test,
// by the test's own goroutine, because the children are this test run again.
func Run(t *testing.T, cases []Case) {
	t.Helper()
	if of := os.Getenv(childEnv); of != "" {
		child(cases, of)
		return
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Fatalf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
	}
	left := selected(t, cases)
	ran := len(left)
	faults := 0
	for len(left) > 0 {
		n := min(batchSize, len(left))
		done, death := batch(t, left[:n])
		if death != "" && len(done) > 0 {
			// What those before it left of the address space may have been too little:
			// an input counts as it does in a child of its own.
			alone, again := batch(t, left[len(done):len(done)+1])
			done, death = append(done, alone...), again
		}
		for _, o := range done {
			c := cases[o.Case]
			t.Logf("%-60s %8s %6.1f MiB  %s", c.Name, o.Took.Round(time.Millisecond), float64(o.Peak)/(1<<20), shorten(o.Error))
			if o.Fault != "" {
				faults++
				t.Errorf("%s: %s (error: %s)", c.Name, o.Fault, shorten(o.Error))
			}
		}
		left = left[len(done):]
		if death != "" {
			faults++
			t.Errorf("%s: %s", cases[left[0]].Name, death)
			left = left[1:]
		}
	}
	t.Logf("%d of %d hostile inputs, %d faults", ran, len(cases), faults)
}

// selected lists the cases to run by index.
func selected(t *testing.T, cases []Case) []int {
	t.Helper()
	stride := max(1, len(cases)/shortened)
	if os.Getenv(allEnv) != "" {
		stride = 1
	}
	only, err := regexp.Compile(os.Getenv(onlyEnv))
	if err != nil {
		t.Fatal(err)
	}
	var some []int
	for i, c := range cases {
		if only.String() != "" && only.MatchString(c.Name) || only.String() == "" && (c.Always || i%stride == 0) {
			some = append(some, i)
		}
	}
	return some
}

// batch runs cases in one child. death says how the child ended at the case
// after the last one done; empty if all were done.
func batch(t *testing.T, of []int) (done []outcome, death string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(of))
	for i, n := range of {
		list[i] = strconv.Itoa(n)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	var said tail
	// The limit is set before the program starts, because the Go runtime then
	// reserves less. GOMEMLIMIT, as in a container, makes it collect garbage
	// before the limit counts it. The C library would reserve 64 MiB a thread, and
	// 8 MiB for its stack.
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -S -s 1024 && ulimit -S -v %d && exec "$0" "$@"`, addressSpace>>10),
		program, "-test.run=^"+t.Name()+"$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(list, ","), "MALLOC_ARENA_MAX=1", "GOMEMLIMIT=176MiB")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &said, &said, []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	var hung atomic.Bool
	watchdog := time.AfterFunc(hangs, func() { hung.Store(true); cmd.Process.Kill() })
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("a child reported %q: %v", lines.Text(), err)
		}
		done = append(done, o)
		watchdog.Reset(hangs)
	}
	err = cmd.Wait()
	stopped := watchdog.Stop()
	switch {
	case len(done) == len(of):
		return done, ""
	case !stopped && hung.Load():
		return done, fmt.Sprintf("did not return within %s", hangs)
	case err == nil:
		err = errors.New("exit without a report")
	}
	return done, fmt.Sprintf("the process died (%v): %s", err, said.String())
}

// tail keeps the beginning of what a child prints: a crash says first why.
type tail struct{ strings.Builder }

func (w *tail) Write(p []byte) (int, error) {
	if room := 600 - w.Len(); room > 0 {
		w.Builder.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func shorten(s string) string {
	if len(s) > 240 {
		return s[:160] + " … " + s[len(s)-80:]
	}
	return s
}
