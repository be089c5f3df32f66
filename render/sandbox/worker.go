package sandbox

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/render"
)

// worker is a child, as the parent has it. It is used by one goroutine at a time,
// but for kill, end and dead.
type worker struct {
	cmd     *exec.Cmd
	in, out *os.File
	spawner *spawner
	missing []string
	loaded  []uint64 // keys of sources, the one used last at the end
	cpu     int64    // seconds that it says it has used

	said  head
	ended chan struct{} // closed once the process has ended and is reaped
}

// maxLoaded is how many sources a child keeps.
const maxLoaded = 8

// maxCPUFactor is how many times the processor time of one call a child may use
// over all calls, before it is replaced at the end of one.
const maxCPUFactor = 10

// brokenError is returned where the conversation with a child cannot go on.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// wait reaps the process.
func (w *worker) wait(stderr *os.File) {
	_, _ = io.Copy(&w.said, stderr) // until it has ended: the write end is the child's alone
	stderr.Close()
	_ = w.cmd.Wait() // what became of it is in ProcessState
	w.spawner.forget(w)
	close(w.ended)
}

// kill kills the process, if it has not ended.
func (w *worker) kill() { _ = w.cmd.Process.Kill() }

// end kills the process, waits until it is reaped, and closes the pipes.
func (w *worker) end() {
	w.in.Close()
	w.kill()
	<-w.ended
	w.out.Close()
}

func (w *worker) dead() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// worn reports whether a child should serve no more: because it has used much
// processor time, or because work may go on in it after the time limit.
func (w *worker) worn(err error) bool {
	var limit *render.LimitError
	timed := errors.As(err, &limit) && limit.Limit == "Time"
	return timed || w.cpu >= maxCPUFactor*int64(w.spawner.options.CPUTime.Seconds())
}

func (w *worker) send(r request) error {
	if err := writeMessage(w.in, r); err != nil {
		if errors.Is(err, os.ErrClosed) || isPipeError(err) {
			return &brokenError{err}
		}
		return err // the message cannot be written as JSON
	}
	return nil
}

// receive waits for the next message of the child.
func (w *worker) receive() (*response, error) {
	var r response
	most := w.spawner.options.ResultBytes
	err := readMessage(w.out, most, &r)
	if err == nil && r.Done != nil {
		err = r.Done.readParts(w.out, most)
	}
	if err != nil {
		return nil, &brokenError{err}
	}
	return &r, nil
}

// finish waits for the end of a request that asks nothing.
func (w *worker) finish() (*done, error) {
	r, err := w.receive()
	if err != nil {
		return nil, err
	}
	if r.Done == nil {
		return nil, &brokenError{errNoSuchMessage}
	}
	w.cpu = r.Done.CPU
	return r.Done, nil
}

// load makes the child load a source, if it has not.
func (w *worker) load(s *Source, info bool) (*render.ChartInfo, error) {
	if i := slices.Index(w.loaded, s.key); i >= 0 {
		w.loaded = append(slices.Delete(w.loaded, i, i+1), s.key)
		return nil, nil
	}
	r := &loadRequest{Key: s.key, Info: info, Source: s.content}
	if over := len(w.loaded) + 1 - maxLoaded; over > 0 {
		r.Drop = slices.Clone(w.loaded[:over])
		w.loaded = slices.Delete(w.loaded, 0, over)
	}
	if err := w.send(request{Load: r}); err != nil {
		return nil, err
	}
	d, err := w.finish()
	if err != nil {
		return nil, err
	}
	if d.Error != nil {
		return nil, d.Error.decode(nil)
	}
	w.loaded = append(w.loaded, s.key)
	return d.Info, nil
}

// head keeps the beginning of what a child writes to its standard error, where a
// crash says why.
type head struct{ text []byte }

const maxHead = 4 << 10

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxHead-len(h.text))]...)
	return len(p), nil
}

// firstLine is the first line, without what is not printable. The child must have
// ended.
func (h *head) firstLine() string {
	line, _, _ := strings.Cut(string(h.text), "\n")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, line[:min(len(line), 200)])
}
