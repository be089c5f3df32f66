package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// process is a measured process, from the perspective of its parent.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a measured process for one peer.
func start(ctx context.Context, s setup) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self, "child")}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.send(s); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *process) send(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.in, "%s\n", data)
	return err
}

// order runs an operation in the process and returns its cost.
func (p *process) order(o order) (figures, error) {
	if err := p.send(o); err != nil {
		return figures{}, err
	}
	var a response
	if err := readLine(p.out, &a); err != nil {
		return figures{}, fmt.Errorf("the measured process has ended: %w", err)
	}
	if a.Error != "" {
		return a.Figures, errors.New(a.Error)
	}
	return a.Figures, nil
}

// stop ends the process and waits for its end.
func (p *process) stop() error {
	p.in.Close()
	return p.cmd.Wait()
}
