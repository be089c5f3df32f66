package testcluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options are what Start may be told. The zero value is a cluster of three nodes
// without a StorageClass.
type Options struct {
	Nodes        int    // 0 means 3
	StorageClass string // makes a default StorageClass of this name; empty: none
}

// The parts of a cluster, for Kill and Restart.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok" // nodes, pods' statuses, volumes
)

// Cluster is a running control plane. Its methods may be called concurrently.
type Cluster struct {
	Kubeconfig string // path of a kubeconfig of an administrator

	config *rest.Config
	folder string // its temporary folder; empty for a cluster that others started

	cmd    *exec.Cmd // nil for a cluster that others started
	stdin  io.WriteCloser
	stderr *lockedBuffer
	lines  chan answer   // what the process answers
	exited chan struct{} // closed when the process has ended and was waited for

	mu       sync.Mutex // one command at a time
	stopping sync.Once
	stopErr  error
}

// answer is one line of "cluster start -json".
type answer struct {
	Kubeconfig string `json:"kubeconfig"`
	Folder     string `json:"folder"`
	Done       string `json:"done"`
	Error      string `json:"error"`
}

// Start starts a cluster of its own and returns when pods can be made in it,
// usually after four seconds. ctx bounds the start alone. The cluster ends with
// Stop or, however that comes, with this process. Without a binary the error is
// ErrNotBuilt.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	args := []string{"start", "-json", "-until-stdin-closes"}
	if opts.Nodes > 0 {
		args = append(args, "-nodes", strconv.Itoa(opts.Nodes))
	}
	if opts.StorageClass != "" {
		args = append(args, "-storage-class", opts.StorageClass)
	}
	c := &Cluster{
		cmd:    exec.Command(binary, args...),
		stderr: new(lockedBuffer),
		lines:  make(chan answer, 1),
		exited: make(chan struct{}),
	}
	// A group of its own: a terminal's Ctrl-C ends this process first, whose end
	// ends the cluster.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr = c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the test cluster: %w", err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the test cluster: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the test cluster: %w", err)
	}
	go c.read(stdout)

	select {
	case ready, ok := <-c.lines:
		if !ok {
			return nil, fmt.Errorf("start the test cluster: %w", errors.Join(c.Stop(), c.ended()))
		}
		c.Kubeconfig, c.folder = ready.Kubeconfig, ready.Folder
	case <-ctx.Done():
		return nil, fmt.Errorf("start the test cluster: %w", errors.Join(context.Cause(ctx), c.Stop()))
	}
	if c.config, err = loadConfig(c.Kubeconfig); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func loadConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the test cluster's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	return config, nil
}

// read passes on what the process prints, until it ends.
func (c *Cluster) read(stdout io.Reader) {
	for in := bufio.NewScanner(stdout); in.Scan(); {
		var line answer
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			line = answer{Error: fmt.Sprintf("unexpected output %q", in.Text())}
		}
		c.lines <- line
	}
	close(c.lines)
	c.cmd.Wait()
	close(c.exited)
}

func (c *Cluster) ended() error {
	return fmt.Errorf("its process has ended: %s", bytes.TrimSpace(c.stderr.bytes()))
}

// Config returns the configuration of an administrator, each time a fresh copy,
// without throttling on the client's side.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Stop ends the cluster and deletes its folder, and returns when that is done.
// It may be called again. A cluster that others started goes on.
func (c *Cluster) Stop() error {
	if c.cmd == nil {
		return nil
	}
	c.stopping.Do(func() {
		c.stdin.Close()
		<-c.exited
		// A start that was broken off is no failure to stop.
		if c.Kubeconfig != "" && !c.cmd.ProcessState.Success() {
			c.stopErr = fmt.Errorf("stop the test cluster: %w", c.ended())
		}
	})
	return c.stopErr
}

// Kill ends one part with SIGKILL, as a crash of it would. The rest goes on
// without it until Restart.
func (c *Cluster) Kill(part string) error { return c.command("kill", part) }

// Restart starts a part again at the same port and with the same data, killing
// it first if it runs. Unless etcd or the API server is down on purpose, it
// returns when the API server says that it is ready.
func (c *Cluster) Restart(part string) error { return c.command("restart", part) }

func (c *Cluster) command(verb, part string) error {
	if c.cmd == nil {
		return fmt.Errorf("%s %s: this cluster was started by others (%s); start one of your own", verb, part, sharedVariable)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintf(c.stdin, "%s %s\n", verb, part); err != nil {
		return fmt.Errorf("%s %s: %w", verb, part, errors.Join(err, c.ended()))
	}
	done, ok := <-c.lines
	if !ok {
		return fmt.Errorf("%s %s: %w", verb, part, c.ended())
	}
	if done.Error != "" {
		return fmt.Errorf("%s %s: %s", verb, part, done.Error)
	}
	return nil
}

// Log returns what a part has logged so far. It is kept until Stop.
func (c *Cluster) Log(part string) (string, error) {
	if c.folder == "" {
		return "", fmt.Errorf("log of %s: this cluster was started by others (%s)", part, sharedVariable)
	}
	data, err := os.ReadFile(c.folder + "/" + part + ".log")
	if err != nil {
		return "", fmt.Errorf("log of %s: %w", part, err)
	}
	return string(data), nil
}

// lockedBuffer collects a process's stderr while it may be read.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(data)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}
