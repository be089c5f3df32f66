package progress

import (
	"io"
	"sync"

	"github.com/fairlead-dev/fairlead/engine"
)

// View shows the events of engines on one writer. It is safe for concurrent
// use, and may be the receiver of several engines.
type View struct {
	mu    sync.Mutex
	shown shower
}

// shower is a style at work. Its methods are called serially.
type shower interface {
	show(e engine.Event)
	close()
}

// New makes a view that writes to w. Writing fails silently: progress is no
// reason to stop a deploy.
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

// Close ends what is still shown: calls of which no Ended was told. A view can
// be used again after it.
func (v *View) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown.close()
}
