package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// lines makes lines of events: the time since the release's call began, and
// the event.
type lines struct {
	began map[engine.Key]time.Time
}

func newLines() *lines { return &lines{began: map[engine.Key]time.Time{}} }

func (l *lines) line(e engine.Event) string {
	k := e.Release()
	began, known := l.began[k]
	if !known { // a plan, or the begin of a call
		began = e.Time()
	}
	if _, starts := e.(engine.Started); starts {
		began = e.Time()
		l.began[k] = began
	}
	if _, ends := e.(engine.Ended); ends {
		delete(l.began, k)
	}
	return fmt.Sprintf("[%6.1fs] %s", max(0, e.Time().Sub(began)).Seconds(), clean(e.String()))
}

// unchanged objects are no news in a log.
func unchanged(e engine.Event) bool {
	a, ok := e.(engine.Applied)
	return ok && a.Action == diff.Unchanged
}

type plain struct {
	w io.Writer
	*lines
}

func newPlain(w io.Writer) *plain { return &plain{w, newLines()} }

func (p *plain) show(e engine.Event) {
	line := p.line(e)
	if unchanged(e) {
		return
	}
	_, _ = fmt.Fprintln(p.w, line)
}

func (p *plain) close() {}
