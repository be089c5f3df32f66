package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// marks are how a CI system is told of groups.
type marks interface {
	begin(id int, title string, at time.Time) string
	end(id int, at time.Time) string
	// annotation says a failure where people look first; empty: not here.
	annotation(title, message string) string
}

// grouped writes the lines of each call as a group. Groups neither nest nor
// interleave, so the lines of a call that begins during another are held back
// until that one has ended.
type grouped struct {
	w io.Writer
	marks
	*lines
	count int
	open  []*group // the first is being written
}

type group struct {
	id    int
	key   engine.Key
	ended bool
	held  []string
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
		g.write(i, g.begin(g.count, clean(e.String()), e.Time()))
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

func (g *grouped) annotate(i int, title, message string) {
	if text := g.annotation(clean(title), clean(message)); text != "" {
		g.write(i, text)
	}
}

// write puts a line out, or keeps it until its group's turn comes. -1 is a
// line of no call.
func (g *grouped) write(i int, line string) {
	if i > 0 {
		g.open[i].held = append(g.open[i].held, line)
		return
	}
	_, _ = fmt.Fprintln(g.w, line)
}

// release goes on to the next group when the first has ended.
func (g *grouped) release() {
	for len(g.open) > 0 && g.open[0].ended {
		g.open = g.open[1:]
		if len(g.open) > 0 {
			for _, line := range g.open[0].held {
				_, _ = fmt.Fprintln(g.w, line)
			}
			g.open[0].held = nil
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

// gitHub speaks the workflow commands of GitHub Actions, which are lines that
// begin with "::". The lines of events begin with the time.
type gitHub struct{}

func (gitHub) begin(_ int, title string, _ time.Time) string { return "::group::" + title }
func (gitHub) end(int, time.Time) string                     { return "::endgroup::" }

func (gitHub) annotation(title, message string) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	return "::error title=" + property.Replace(title) + "::" + data.Replace(message)
}

// gitLab speaks the section marks of GitLab CI. They need control characters,
// which no line has.
type gitLab struct{}

func (gitLab) begin(id int, title string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_start:%d:fairlead_%d\r\x1b[0K%s", at.Unix(), id, title)
}

func (gitLab) end(id int, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_end:%d:fairlead_%d\r\x1b[0K", at.Unix(), id)
}

func (gitLab) annotation(string, string) string { return "" }
