package progress

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

const (
	defaultWidth = 80
	defaultRows  = 16
	refresh      = 120 * time.Millisecond
	barWidth     = 20
	maxLabel     = 40
	maxTroubles  = 3 // of one object
)

// live draws the tree while operations are running. mpb owns the terminal: it
// moves the cursor, and prints permanent lines above the tree.
type live struct {
	w    io.Writer
	opts Options
	look look

	mu   sync.Mutex // mpb draws the tree in its own goroutine
	tree tree

	area *mpb.Progress // nil: not drawing
	bar  *mpb.Bar
}

func newLive(w io.Writer, opts Options) *live {
	if opts.Rows <= 0 {
		opts.Rows = defaultRows
	}
	return &live{w: w, opts: opts, look: newLook(opts.colour(w))}
}

func (l *live) show(e engine.Event) {
	l.mu.Lock()
	keep, verdict := l.tree.apply(e)
	l.draw(keep, verdict)
}

func (l *live) showStack(e stack.Event) {
	l.mu.Lock()
	keep, verdict := l.tree.applyStack(e)
	l.draw(keep, verdict)
}

// draw starts or stops drawing, and prints a permanent line. It unlocks the tree,
// which has changed.
func (l *live) draw(keep string, verdict verdict) {
	working := len(l.tree.calls)+len(l.tree.stacks) > 0
	l.mu.Unlock()
	if working {
		l.open()
	}
	if !working {
		l.close()
	}
	if keep != "" {
		line := l.look.mark(verdict) + l.look.paint(verdict, keep) + "\n"
		if l.area != nil {
			_, _ = l.area.Write([]byte(line))
		} else {
			_, _ = io.WriteString(l.w, line)
		}
	}
}

// open starts drawing.
func (l *live) open() {
	if l.area != nil {
		return
	}
	width := l.opts.Width
	if width <= 0 {
		width = defaultWidth // not a terminal
	}
	l.area = mpb.New(mpb.WithOutput(l.w), mpb.WithWidth(width), mpb.WithRefreshRate(refresh), mpb.WithAutoRefresh())
	rows := []string{""}
	l.bar = l.area.MustAdd(0,
		mpb.BarFillerFunc(func(w io.Writer, stat decor.Statistics) error {
			if rows = l.rows(time.Now(), l.columns(stat)); len(rows) == 0 {
				rows = []string{""}
			}
			_, err := io.WriteString(w, rows[0])
			return err
		}),
		mpb.BarFillerTrim(),
		// mpb can append lines to a bar.
		mpb.BarExtender(mpb.BarFillerFunc(func(w io.Writer, _ decor.Statistics) error {
			for _, row := range rows[1:] {
				if _, err := io.WriteString(w, row+"\n"); err != nil {
					return err
				}
			}
			return nil
		}), false),
	)
}

func (l *live) columns(stat decor.Statistics) int {
	if l.opts.Width > 0 {
		return l.opts.Width
	}
	return stat.AvailableWidth
}

// close stops drawing and restores the terminal.
func (l *live) close() {
	if l.area == nil {
		return
	}
	l.bar.Abort(true)
	l.area.Wait()
	l.area, l.bar = nil, nil
}

// rows returns the current tree, each row at most width columns wide.
func (l *live) rows(now time.Time, width int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	room := max(1, (l.opts.Rows-len(l.tree.calls))/max(1, len(l.tree.calls)))
	for _, c := range l.tree.calls {
		if !l.tree.inStack(c) {
			out = append(out, l.callRows(now, width, c, room)...)
		}
	}
	for _, s := range l.tree.stacks {
		out = append(out, l.stackRows(now, width, s, room)...)
	}
	return out
}

// callRows are those of an operation, with at most room of them for its objects.
func (l *live) callRows(now time.Time, width int, c *call, room int) []string {
	title := clean.Line(fmt.Sprintf("%s %s", c.op, c.key)) + "  "
	out := []string{l.look.row(width, l.look.spinner(now), title, c.state(), neutral, elapsed(now.Sub(c.began)))}
	nodes := c.shownNodes()
	label := 0
	for _, n := range nodes {
		label = max(label, min(maxLabel, runewidth.StringWidth(n.label())))
	}
	for i, n := range nodes {
		rows := l.nodeRows(now, width, label, n, i == len(nodes)-1)
		if len(rows) > room || len(rows) == room && i < len(nodes)-1 {
			return append(out, l.look.row(width, "└─ ", fmt.Sprintf("and %d more", len(nodes)-i), "", neutral, ""))
		}
		room -= len(rows)
		out = append(out, rows...)
	}
	return out
}

// stackRows are those of a stack: its counts, below it the members that are in
// progress with their operations, and those that wait. What is done is counted.
func (l *live) stackRows(now time.Time, width int, s *stackTree, room int) []string {
	out := []string{l.look.row(width, l.look.spinner(now), clean.Line("stack "+s.name)+"  ", s.counts(), neutral, elapsed(now.Sub(s.began)))}
	shown := s.shown()
	for i, m := range shown {
		if len(out) >= l.opts.Rows {
			return append(out, l.look.row(width, "└─ ", fmt.Sprintf("and %d more", len(shown)-i), "", neutral, ""))
		}
		branch, stem := "├─ ", "│  "
		if i == len(shown)-1 {
			branch, stem = "└─ ", "   "
		}
		c := l.tree.call(m.key)
		if c == nil || m.state == stack.MemberPending {
			out = append(out, l.look.row(width, branch, clean.Line(m.name)+"  ", m.word(), neutral, ""))
			continue
		}
		for j, row := range l.callRows(now, width-3, c, room) {
			if j == 0 {
				row = branch + row
			} else {
				row = stem + row
			}
			out = append(out, row)
		}
	}
	return out
}

func (n *node) label() string {
	s := n.object.Kind + " " + n.object.Name
	if n.hook != "" {
		s = n.hook + " hook " + s
	}
	return clean.Line(s)
}

func (l *live) nodeRows(now time.Time, width, label int, n *node, last bool) []string {
	branch, stem := "├─ ", "│  "
	if last {
		branch, stem = "└─ ", "   "
	}
	name := runewidth.FillRight(runewidth.Truncate(n.label(), label, "…"), label) + "  "
	state := n.message
	if n.desired > 0 {
		state = fmt.Sprintf("%s %d/%d  %s", l.look.bar(n.ready, n.desired), n.ready, n.desired, n.message)
	}
	rows := []string{l.look.row(width, branch, name, state, neutral, elapsed(now.Sub(n.began)))}
	for i, t := range n.troubles[:min(len(n.troubles), maxTroubles)] {
		twig := "├─ "
		if i == min(len(n.troubles), maxTroubles)-1 {
			twig = "└─ "
		}
		rows = append(rows, l.look.row(width, stem+twig, "", t.text, doubtful, ""))
	}
	return rows
}

// look is the appearance on this terminal.
type look struct {
	colours bool
	frames  []string
	filler  mpb.BarFiller
}

func newLook(colours bool) look {
	return look{
		colours: colours,
		frames:  []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
		filler:  mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("┄").Build(),
	}
}

func (k look) spinner(now time.Time) string {
	return k.frames[now.UnixMilli()/refresh.Milliseconds()%int64(len(k.frames))] + " "
}

func (k look) bar(current, total int) string {
	var b bytes.Buffer
	stat := decor.Statistics{AvailableWidth: barWidth, Total: int64(total), Current: int64(min(current, total))}
	if err := k.filler.Fill(&b, stat); err != nil {
		return ""
	}
	return b.String()
}

// row returns one line: a prefix, a name, a text that is truncated to the
// available width, and the time on the right.
func (k look) row(width int, lead, name, text string, v verdict, right string) string {
	room := width - 1 - runewidth.StringWidth(lead)
	if right != "" {
		room -= len(right) + 1
	}
	body := runewidth.Truncate(name+text, max(0, room), "…")
	if right != "" {
		pad := max(0, room-runewidth.StringWidth(body))
		return lead + k.paint(v, body) + strings.Repeat(" ", pad+1) + right
	}
	return lead + k.paint(v, body)
}

func (k look) mark(v verdict) string {
	switch v {
	case well:
		return k.paint(v, "✓ ")
	case doubtful:
		return k.paint(v, "! ")
	case bad:
		return k.paint(v, "✗ ")
	}
	return "  "
}

func (k look) paint(v verdict, s string) string {
	if !k.colours || s == "" {
		return s
	}
	switch v {
	case well:
		return "\x1b[32m" + s + "\x1b[0m"
	case doubtful:
		return "\x1b[33m" + s + "\x1b[0m"
	case bad:
		return "\x1b[31m" + s + "\x1b[0m"
	}
	return s
}

// elapsed returns minutes and seconds.
func elapsed(d time.Duration) string {
	d = max(0, d)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
