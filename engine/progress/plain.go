package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// lines formats events as lines: the time since the operation on the release
// started, and the event.
type lines struct {
	began map[engine.Key]time.Time
	last  map[engine.Key]string // the text of the last Waiting
}

func newLines() *lines { return &lines{map[engine.Key]time.Time{}, map[engine.Key]string{}} }

func (l *lines) line(e engine.Event) string {
	k := e.Release()
	began, known := l.began[k]
	if !known { // a plan, or the start of an operation
		began = e.Time()
	}
	if _, starts := e.(engine.Started); starts {
		began = e.Time()
		l.began[k] = began
	}
	if _, ends := e.(engine.Ended); ends {
		delete(l.began, k)
	}
	return fmt.Sprintf("[%6.1fs] %s", max(0, e.Time().Sub(began)).Seconds(), clean.Line(e.String()))
}

// stale reports whether an event adds nothing to a log: an object that did not
// change, or a Waiting with the same text as the one before.
func (l *lines) stale(e engine.Event) bool {
	switch e := e.(type) {
	case engine.Applied:
		return e.Action == diff.Unchanged
	case engine.Waiting:
		was := l.last[e.Key]
		l.last[e.Key] = e.String()
		return was == e.String()
	case engine.Ended:
		delete(l.last, e.Key)
	}
	return false
}

type plain struct {
	w io.Writer
	*lines
	several bool // operations on several releases ran at once
}

func newPlain(w io.Writer) *plain { return &plain{w: w, lines: newLines()} }

// show writes the event's line, which names the release once several are in
// progress.
func (p *plain) show(e engine.Event) {
	line := p.line(e)
	p.several = p.several || len(p.began) > 1
	if p.stale(e) {
		return
	}
	if p.several {
		line = e.Release().String() + " " + line
	}
	_, _ = fmt.Fprintln(p.w, line)
}

// showStack writes the states of members that are not waiting any more, and the
// lines of their operations with their names.
func (p *plain) showStack(e stack.Event) {
	switch {
	case e.Engine != nil:
		p.several = true
		p.show(e.Engine)
	case e.State != stack.MemberPending:
		_, _ = fmt.Fprintln(p.w, clean.Line("stack "+e.Stack+", "+e.String()))
	}
}

func (p *plain) close() {}
