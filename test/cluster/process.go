package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

// process is one part of the control plane, running as a child of this process.
//
// A child runs as long as the pipe on its stdin is open, and only this process
// has the other end: even a SIGKILL of this process ends it, on any system, and
// it then deletes the folder (see runPart).
type process struct {
	name string
	log  string

	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{} // closed when it has ended and was waited for

	mu      sync.Mutex
	stopped bool // it was killed on purpose
}

// secondSuffix ends the name of a second process of a part.
const secondSuffix = "-2"

// startProcess starts the part with the given arguments, by a program or, if that
// is empty, by this one; its output is appended to NAME.log in the folder.
func startProcess(program string, f *folder, name string, args []string) (*process, error) {
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	p := &process{name: name, log: f.file(name + ".log"), exited: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	p.cmd = exec.Command(program, append([]string{parts.Verb, f.path, strings.TrimSuffix(name, secondSuffix)}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Dir = f.path
	// A group of its own, so that a terminal's Ctrl-C reaches only this process.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// kill ends the process with SIGKILL and waits for its end. No state survives the
// cluster, so there is no need for a graceful shutdown.
func (p *process) kill() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.cmd.Process.Kill()
	<-p.exited
}

// died reports whether the process ended unexpectedly.
func (p *process) died() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.exited:
		return !p.stopped
	default:
		return false
	}
}

// partError is returned for a part that ended unexpectedly or did not become
// ready, with the last lines of its log.
type partError struct {
	part, what, log string
}

func (e *partError) Error() string {
	return fmt.Sprintf("%s %s; its last lines:\n%s", e.part, e.what, e.log)
}

func (p *process) failed(what string) error {
	return &partError{part: p.name, what: what, log: tail(p.log, 25)}
}

func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
