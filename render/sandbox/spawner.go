package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"
)

// spawner starts children, all by one thread of the operating system: the kernel
// kills a child when the thread that started it ends, and other threads of a Go
// program may end at any time.
type spawner struct {
	options Options
	starts  chan func()
	// refused is why the kernel refuses namespaces, nil if it does not.
	refused error

	mu     sync.Mutex
	alive  map[*worker]struct{}
	killed bool // no more starts
}

// startTime is how long a child may take to say that it is ready.
const startTime = time.Minute

// newSpawner returns a spawner and its first child, by which it learns whether the
// kernel allows namespaces.
func newSpawner(options Options) (*spawner, *worker, error) {
	s := &spawner{options: options, starts: make(chan func()), alive: map[*worker]struct{}{}}
	go func() {
		runtime.LockOSThread() // and no unlock: the thread ends with this goroutine
		for start := range s.starts {
			start()
		}
	}()
	w, err := s.start()
	if err != nil && options.BestEffort && isRefused(err) {
		s.refused = err
		w, err = s.start()
	}
	if err != nil {
		s.stop()
		if isRefused(err) {
			err = &UnsupportedError{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Missing: []string{missingNamespace}, Err: err}
		}
		return nil, nil, err
	}
	return s, w, nil
}

// stop ends the thread. There must be no child any more.
func (s *spawner) stop() { close(s.starts) }

// refusedError is returned where the kernel does not start a child with
// namespaces.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func isRefused(err error) bool {
	var refused *refusedError
	return errors.As(err, &refused)
}

// start starts a child and waits until it is ready.
func (s *spawner) start() (*worker, error) {
	w, err := s.startProcess()
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(startTime, w.kill)
	defer late.Stop()
	var r response
	err = readMessage(w.out, 1<<16, &r)
	if err == nil && r.Hello == nil {
		err = errNoSuchMessage
	}
	if err != nil {
		w.kill()
		w.end()
		return nil, fmt.Errorf("the child is not ready: %w: %s: does main begin with sandbox.Main()?", err, w.said.firstLine())
	}
	w.missing = r.Hello.Missing
	if s.refused != nil {
		w.missing = append(slices.Clip(w.missing), missingNamespace)
	}
	return w, nil
}

func (s *spawner) startProcess() (*worker, error) {
	config, err := childConfig{
		Memory: s.options.MemoryBytes, CPU: int64(s.options.CPUTime / time.Second), OwnUser: s.refused == nil,
	}.text()
	if err != nil {
		return nil, err
	}
	var pipes [3]struct{ read, write *os.File }
	closeAll := func() {
		for _, p := range pipes {
			p.read.Close() // no effect on nil
			p.write.Close()
		}
	}
	for i := range pipes {
		if pipes[i].read, pipes[i].write, err = os.Pipe(); err != nil {
			closeAll()
			return nil, err
		}
	}
	w := &worker{in: pipes[0].write, out: pipes[1].read, spawner: s, ended: make(chan struct{})}
	w.cmd = &exec.Cmd{
		Path: program, Args: []string{childName, config}, Env: []string{}, Dir: "/",
		Stdin: pipes[0].read, Stdout: pipes[1].write, Stderr: pipes[2].write,
		SysProcAttr: processAttributes(s.refused == nil),
	}
	if err := s.launch(w); err != nil {
		closeAll()
		if s.refused == nil && namespaceRefused(err) {
			return nil, &refusedError{err}
		}
		return nil, fmt.Errorf("start a child: %w", err)
	}
	pipes[0].read.Close()
	pipes[1].write.Close()
	pipes[2].write.Close()
	go w.wait(pipes[2].read)
	return w, nil
}

// launch starts the process by the thread, unless the pool is closed.
func (s *spawner) launch(w *worker) error {
	started := make(chan error)
	s.starts <- func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.killed {
			started <- errClosed
			return
		}
		err := w.cmd.Start()
		if err == nil {
			s.alive[w] = struct{}{}
		}
		started <- err
	}
	return <-started
}

// killAll kills the children and lets no other start.
func (s *spawner) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed = true
	for w := range s.alive {
		w.kill()
	}
}

func (s *spawner) forget(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, w)
}
