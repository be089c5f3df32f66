package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// marks is the syntax of groups in the log of a CI system.
type marks interface {
	begin(id int, title string, at time.Time) string
	end(id int, at time.Time) string
	// annotation highlights a failure; empty: not supported.
	annotation(title, message string) string
}

// grouped writes the lines of each operation as a group. Groups can neither be
// nested nor interleaved, so the lines of an operation that starts during
// another one are buffered until that one has ended.
type grouped struct {
	w io.Writer
	marks
	*lines
	count int
	open  []*group // the first is being written
}

type group struct {
	id     int
	key    engine.Key
	ended  bool
	buffer []string
}

func newGrouped(w io.Writer, m marks) *grouped { return &grouped{w: w, marks: m, lines: newLines()} }

func (g *grouped) show(e engine.Event) {
	line := g.line(e)
	key := e.Release()
	i := slices.IndexFunc(g.open, func(x *group) bool { return x.key == key && !x.ended })
	if _, starts := e.(engine.Started); starts {
		g.count++
		g.open = append(g.open, &group{id: g.count, key: key})
		i = len(g.open) - 1
		g.write(i, g.begin(g.count, clean.Line(e.String()), e.Time()))
		return
	}
	if g.stale(e) {
		return
	}
	g.write(i, line)
	switch e := e.(type) {
	case engine.Failed:
		g.annotate(i, e.Object.String(), e.Err.Error())
	case engine.Unready:
		d := e.Diagnosis
		g.annotate(i, e.Object.String(), strings.Join(slices.DeleteFunc([]string{d.Reason, d.Message, d.Hint}, func(s string) bool { return s == "" }), ": "))
	case engine.Ended:
		if i < 0 {
			return
		}
		g.write(i, g.end(g.open[i].id, e.Time()))
		g.open[i].ended = true
		g.release()
	}
}

// showStack writes the groups of the members' operations, and between them how each
// member ended.
func (g *grouped) showStack(e stack.Event) {
	switch {
	case e.Engine != nil:
		g.show(e.Engine)
	case e.State == stack.MemberFailed, e.State == stack.MemberSkipped, e.State == stack.MemberReverted:
		g.write(len(g.open)-1, clean.Line("stack "+e.Stack+", "+e.String()))
	}
}

func (g *grouped) annotate(i int, title, message string) {
	if text := g.annotation(clean.Line(title), clean.Line(message)); text != "" {
		g.write(i, text)
	}
}

// write writes a line of group i, or buffers it if that is not the current
// group. -1 means no group.
func (g *grouped) write(i int, line string) {
	if i > 0 {
		g.open[i].buffer = append(g.open[i].buffer, line)
		return
	}
	_, _ = fmt.Fprintln(g.w, line)
}

// release continues with the next group if the first has ended.
func (g *grouped) release() {
	for len(g.open) > 0 && g.open[0].ended {
		g.open = g.open[1:]
		if len(g.open) > 0 {
			for _, line := range g.open[0].buffer {
				_, _ = fmt.Fprintln(g.w, line)
			}
			g.open[0].buffer = nil
		}
	}
}

func (g *grouped) close() {
	for i, open := range g.open {
		if !open.ended {
			g.write(i, g.end(open.id, time.Now()))
			open.ended = true
		}
	}
	g.release()
}

// gitHub writes the workflow commands of GitHub Actions: lines that start with
// "::". The lines of events start with the time.
type gitHub struct{}

func (gitHub) begin(_ int, title string, _ time.Time) string { return "::group::" + title }
func (gitHub) end(int, time.Time) string                     { return "::endgroup::" }

func (gitHub) annotation(title, message string) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	return "::error title=" + property.Replace(title) + "::" + data.Replace(message)
}

// gitLab writes the section marks of GitLab CI. They contain control characters,
// which the lines of events never do.
type gitLab struct{}

func (gitLab) begin(id int, title string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_start:%d:fairlead_%d\r\x1b[0K%s", at.Unix(), id, title)
}

func (gitLab) end(id int, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_end:%d:fairlead_%d\r\x1b[0K", at.Unix(), id)
}

func (gitLab) annotation(string, string) string { return "" }
