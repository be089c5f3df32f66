package progress

import (
	"io"
	"sync"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// View writes the events of engines to one writer. It is safe for concurrent
// use, also by several engines.
type View struct {
	mu    sync.Mutex
	shown shower
}

// shower implements a style. Its methods are called serially.
type shower interface {
	show(e engine.Event)
	showStack(e stack.Event)
	close()
}

// New returns a view that writes to w. Write errors are ignored: they must not
// stop a deploy.
func New(w io.Writer, opts Options) *View {
	v := &View{}
	switch style := opts.style(w); style {
	case Live:
		v.shown = newLive(w, opts)
	case GitHub:
		v.shown = newGrouped(w, gitHub{})
	case GitLab:
		v.shown = newGrouped(w, gitLab{})
	default:
		v.shown = newPlain(w)
	}
	return v
}

// OnEvent is for [engine.Options].OnEvent.
func (v *View) OnEvent(e engine.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown.show(e)
}

// OnStackEvent is for [stack.ApplyOptions].OnEvent: the releases of a stack, with
// those that are done folded into a count.
func (v *View) OnStackEvent(e stack.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown.showStack(e)
}

// Close removes operations that are still displayed because no Ended was
// received. The view can be used again afterwards.
func (v *View) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown.close()
}
