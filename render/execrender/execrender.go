// Package execrender makes post-renderers of executables, as helm's --post-renderer
// does: a program reads YAML documents and prints them changed.
//
//	in.PostRender = []render.PostRenderer{execrender.Command{Path: "/usr/local/bin/add-labels"}}
//
// The program is trusted: it runs with the permissions of this one. It gets no
// environment but the one given, its output and time are bounded, and what it prints
// to stderr is in the error if it fails. It is killed when the context ends; programs
// that it has started are not. To write a post-renderer in Go needs no package:
// implement [render.PostRenderer].
package execrender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/render"
)

// Command is an executable that post-renders. It may be used concurrently.
type Command struct {
	// Path of the executable, absolute: it is not searched for.
	Path string
	Args []string
	// Env is the environment, as "NAME=value". Nil: none at all.
	Env []string
	// Dir is the working directory. Empty: that of the program.
	Dir string
	// Timeout of one run, within the context of the render. Zero: one minute.
	Timeout time.Duration
	// Limits on what it prints: OutputBytes, Documents and those of parsing. Zero:
	// safe limits.
	Limits render.Limits
}

const (
	defaultTimeout = time.Minute
	// waitDelay is how long a program that was killed may keep its pipes open, by
	// programs that it has started.
	waitDelay = time.Second
	// maxStderr is how much of stderr is kept, and maxShown how much of that an error
	// shows.
	maxStderr = 64 << 10
	maxShown  = 2000
)

// PostRender runs the executable. The error has what it printed to stderr.
func (c Command) PostRender(ctx context.Context, objects []render.Object) ([]render.Object, error) {
	if !filepath.IsAbs(c.Path) {
		return nil, fmt.Errorf("the path %q of the post-renderer is not absolute", c.Path)
	}
	input, err := documents(objects)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	timed, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than %v", timeout))
	defer cancel()
	most := c.Limits.WithDefaults().OutputBytes
	stdout, stderr := &bounded{most: most, exceeded: cancel}, &bounded{most: maxStderr}
	cmd := exec.CommandContext(timed, c.Path, c.Args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = append([]string{}, c.Env...), c.Dir, waitDelay
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, stdout, stderr
	err = cmd.Run()
	switch {
	case stdout.over:
		return nil, &render.LimitError{Limit: "OutputBytes", Max: most, Subject: "the output of " + filepath.Base(c.Path)}
	case err != nil && timed.Err() != nil:
		return nil, fmt.Errorf("%s: %w", c.Path, context.Cause(timed))
	case err != nil:
		return nil, c.failed(err, stderr.kept.String())
	}
	rendered, err := render.ParseObjects(ctx, filepath.Base(c.Path), stdout.kept.String(), c.Limits)
	if err != nil {
		return nil, err
	}
	return withSources(rendered, objects), nil
}

func (c Command) failed(err error, stderr string) error {
	if text := clean.Short(stderr, maxShown); text != "" {
		return fmt.Errorf("%s: %w: %s", c.Path, err, text)
	}
	return fmt.Errorf("%s: %w", c.Path, err)
}

// documents is the objects as YAML, each under a comment with its source.
func documents(objects []render.Object) (io.Reader, error) {
	var b bytes.Buffer
	for _, o := range objects {
		text, err := o.Document()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", o.Source, text)
	}
	return &b, nil
}

// withSources gives objects that keep their name the source that they had.
func withSources(objects, before []render.Object) []render.Object {
	sources := make(map[string]string, len(before))
	for _, o := range before {
		sources[o.ID()] = o.Source
	}
	for i := range objects {
		if source, ok := sources[objects[i].ID()]; ok {
			objects[i].Source = source
		}
	}
	return objects
}

// bounded keeps what is written to it, up to a size. Beyond it, it drops the rest, or
// fails if exceeding ends something.
type bounded struct {
	kept     bytes.Buffer // not embedded: its ReadFrom knows no bound
	most     int64
	over     bool
	exceeded func()
}

var errTooLong = errors.New("the output is too long")

func (b *bounded) Write(p []byte) (int, error) {
	left := b.most - int64(b.kept.Len())
	if int64(len(p)) <= left {
		return b.kept.Write(p)
	}
	b.over = true
	if b.exceeded != nil {
		b.exceeded()
		return 0, errTooLong
	}
	b.kept.Write(p[:left])
	return len(p), nil
}
