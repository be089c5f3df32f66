package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/render"
)

// causes are the limits by what the Go runtime says when it ends the process.
var causes = []struct{ text, limit string }{
	{"goroutine stack exceeds", LimitStack},
	{"stack overflow", LimitStack},
	{"failed to create new OS thread", LimitThreads},
	{"pthread_create failed", LimitThreads},
	{"out of memory", LimitMemory},
	{"cannot allocate memory", LimitMemory},
	{"cannot map pages in arena", LimitMemory},
}

// death returns the limit that ended a child, as far as it is known. It has ended.
func (w *worker) death(broken *brokenError, options Options) *render.LimitError {
	e := &render.LimitError{Limit: LimitProcess, Subject: "a render in a child process"}
	var tooLarge *tooLargeError
	var notMessage *notAMessageError
	switch {
	case errors.As(broken, &tooLarge):
		e.Limit, e.Max = LimitResult, options.ResultBytes
		return e
	case errors.As(broken, &notMessage):
		e.Err = notMessage
		return e
	}
	said := string(w.said.text)
	for _, c := range causes {
		if strings.Contains(said, c.text) {
			e.Limit = c.limit
			break
		}
	}
	state := w.cmd.ProcessState
	if e.Limit == LimitProcess && processorTimeUp(state, options.CPUTime) {
		e.Limit = LimitCPU
	}
	switch e.Limit {
	case LimitMemory:
		e.Max = options.MemoryBytes
	case LimitStack:
		e.Max = stackBytes(options.MemoryBytes)
	case LimitCPU:
		e.Max = int64(options.CPUTime)
	case LimitProcess:
		e.Err = fmt.Errorf("the child ended: %v %s", state, w.said.firstLine())
	}
	return e
}

// stackBytes is how far one stack may grow: well below the address space, so that
// a recursion is not taken for memory that data need.
func stackBytes(memory int64) int64 { return memory / 4 }
