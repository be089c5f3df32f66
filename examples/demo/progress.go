package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// progress shows events: a line each, and on a terminal a bar for each
// workload that is waited for.
type progress struct {
	out *os.File
	tty bool

	mu   sync.Mutex
	view *mpb.Progress // nil while there is nothing to show
	bars map[diff.Object]*mpb.Bar
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, tty: term.IsTerminal(int(out.Fd())), bars: map[diff.Object]*mpb.Bar{}}
}

func (p *progress) event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tty {
		switch e := e.(type) {
		case engine.Waiting:
			if e.Desired > 0 {
				bar := p.bar(e.Object, e.Desired)
				bar.SetTotal(int64(e.Desired)+1, false)
				bar.SetCurrent(int64(min(e.Ready, e.Updated)))
				return
			}
		case engine.Ready:
			if bar := p.bars[e.Object]; bar != nil {
				bar.SetTotal(-1, true)
				return
			}
		}
	}
	p.line("  " + e.String())
}

// line prints above the bars.
func (p *progress) line(s string) {
	if p.view != nil {
		fmt.Fprintln(p.view, s)
		return
	}
	fmt.Fprintln(p.out, s)
}

func (p *progress) bar(o diff.Object, total int) *mpb.Bar {
	if p.view == nil {
		p.view = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40), mpb.WithAutoRefresh())
	}
	if p.bars[o] == nil {
		p.bars[o] = p.view.AddBar(int64(total)+1,
			mpb.PrependDecorators(decor.Name("  "+o.String()+" ")),
			mpb.AppendDecorators(
				decor.OnComplete(decor.Any(func(s decor.Statistics) string { return fmt.Sprintf(" %d/%d ready", s.Current, s.Total-1) }), " ready"),
				decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7}),
			),
		)
	}
	return p.bars[o]
}

// flush leaves what was shown on the screen, and ends the bars.
func (p *progress) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.view == nil {
		return
	}
	for _, bar := range p.bars {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	p.view.Wait()
	p.view = nil
	clear(p.bars)
}
