package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

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
	bars map[diff.Object]*workload
}

// workload is a bar of as many steps as the workload has pods, and one more,
// which is taken when it is ready as a whole.
type workload struct {
	bar   *mpb.Bar
	ready atomic.Int64
	total atomic.Int64
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, tty: term.IsTerminal(int(out.Fd())), bars: map[diff.Object]*workload{}}
}

func (p *progress) event(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tty {
		switch e := e.(type) {
		case engine.Waiting:
			if e.Desired > 0 {
				p.workload(e.Object).show(min(e.Ready, e.Updated), e.Desired)
				return
			}
		case engine.Ready:
			if w := p.bars[e.Object]; w != nil {
				w.show(e.Ready, e.Desired)
				w.bar.SetTotal(int64(e.Ready), true)
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

func (p *progress) workload(o diff.Object) *workload {
	if p.view == nil {
		p.view = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40), mpb.WithAutoRefresh())
	}
	if p.bars[o] == nil {
		w := &workload{}
		w.bar = p.view.AddBar(1,
			mpb.PrependDecorators(decor.Name("  "+o.String()+" ")),
			mpb.AppendDecorators(
				decor.Any(func(decor.Statistics) string { return fmt.Sprintf(" %d/%d ready", w.ready.Load(), w.total.Load()) }),
				decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7}),
			),
		)
		p.bars[o] = w
	}
	return p.bars[o]
}

func (w *workload) show(ready, total int) {
	w.ready.Store(int64(ready))
	w.total.Store(int64(total))
	w.bar.SetTotal(int64(total)+1, false)
	w.bar.SetCurrent(int64(ready))
}

// flush leaves what was shown on the screen, and ends the bars: those of
// workloads that never got ready as they are.
func (p *progress) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.view == nil {
		return
	}
	for _, w := range p.bars {
		if w.ready.Load() < w.total.Load() {
			w.bar.Abort(false)
		}
	}
	p.view.Wait()
	p.view = nil
	clear(p.bars)
}
