package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// DefaultLogLines is how many of a test's last log lines are read, of each
// container.
const DefaultLogLines = 50

// TestOptions are the settings of [Engine.Test]. The zero value runs all tests.
type TestOptions struct {
	// Filter reports which Jobs and Pods run. Other test hooks, such as a
	// ConfigMap that they read, are always created. Nil: all.
	Filter func(diff.Object) bool
	// Timeout bounds each test. 0: DefaultTimeout. Negative: an error.
	Timeout time.Duration
	// HooksTimeout bounds all tests together: those that have not run by then
	// fail. 0: three times the timeout of one. Negative: an error.
	HooksTimeout time.Duration
	// FailurePolicy bounds how long each cause of trouble may last before a
	// test fails, ahead of its timeout. Zero: the defaults.
	FailurePolicy FailurePolicy
	// LogLines is how many of the last lines are read of each container of a
	// test, however it ended. 0: DefaultLogLines. Negative: none.
	LogLines int
	// LockTimeout is how long to wait for another operation on the release, as
	// in ApplyOptions. Negative: an error.
	LockTimeout time.Duration
}

// TestPhase is how a test ended, in Helm's words.
type TestPhase string

const (
	TestSucceeded TestPhase = "Succeeded"
	TestFailed    TestPhase = "Failed"
)

// TestResult is the result of one test of a release. It is plain data, except
// for Err, and holds no value of any Secret of the release.
type TestResult struct {
	Object  diff.Object    `json:"object"`
	Phase   TestPhase      `json:"phase"`
	Started time.Time      `json:"started"`
	Took    time.Duration  `json:"took"` // in nanoseconds
	Logs    []ContainerLog `json:"logs,omitempty"`
	// Reason of a failure, for people; empty if there was none.
	Reason string `json:"reason,omitempty"`
	// Err is the failure: an *Error, which may unwrap to a *NotReadyError with
	// a diagnosis. Nil: the test succeeded.
	Err error `json:"-"`
}

// ContainerLog is the end of what a container has printed.
type ContainerLog struct {
	Pod       string   `json:"pod"`
	Container string   `json:"container"`
	Lines     []string `json:"lines,omitempty"` // oldest first
	// Unread is why there are no lines; empty if they could be read.
	Unread string `json:"unread,omitempty"`
}

// TestError lists the tests of a release that failed. It unwraps to the error
// of each.
type TestError struct {
	Key      Key
	Revision int
	Failed   []TestResult
	Run      int // how many tests ran
}

func (e *TestError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d tests of revision %d of %s failed:", len(e.Failed), e.Run, e.Revision, e.Key)
	for _, f := range e.Failed {
		text := f.Err.Error()
		fmt.Fprintf(&b, "\n%s", text)
		for _, log := range f.Logs {
			shown := log.Lines[max(0, len(log.Lines)-10):]
			if len(shown) == 0 || strings.Contains(text, shown[len(shown)-1]) {
				continue // the diagnosis has them already
			}
			fmt.Fprintf(&b, "\n  pod %s, container %s:", log.Pod, log.Container)
			for _, line := range shown {
				fmt.Fprintf(&b, "\n    | %s", line)
			}
		}
	}
	return clean.Text(b.String())
}

func (e *TestError) Unwrap() []error {
	out := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		out[i] = f.Err
	}
	return out
}
