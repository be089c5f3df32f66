package testcluster

import (
	"bufio"
	"bytes"
	"cmp"
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

// Options configures Start. The zero value is a cluster of three nodes without a
// StorageClass.
type Options struct {
	Nodes        int    // 0 means 3
	StorageClass string // name of a default StorageClass to create; empty: none
	// ControlPlane is a program of [BuildControlPlane], to run Kubernetes of
	// another version. Empty: that of "cluster exec -control-plane", if it runs
	// this process, else the test cluster's own.
	ControlPlane string
}

// controlPlaneVariable names the program that "cluster exec" is to run the
// control plane by.
const controlPlaneVariable = "FAIRLEAD_TEST_CONTROL_PLANE"

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
	Kubeconfig string // path of an administrator's kubeconfig

	config *rest.Config
	folder string // its temporary folder; empty for a cluster of another process

	cmd    *exec.Cmd // nil for a cluster of another process
	stdin  io.WriteCloser
	stderr *lockedBuffer
	lines  chan response // the output of the process
	exited chan struct{} // closed when the process has ended and was waited for

	mu       sync.Mutex // one command at a time
	stopping sync.Once
	stopErr  error
}

// response is one line of "cluster start -json".
type response struct {
	Kubeconfig string `json:"kubeconfig"`
	Folder     string `json:"folder"`
	Done       string `json:"done"`
	Server     string `json:"server"`
	Error      string `json:"error"`
}

// Start starts a separate cluster and returns when pods can be created in it,
// usually after four seconds. ctx only bounds the start. The cluster ends with
// Stop, or when this process ends for any reason. Without a binary the error is
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
	if program := cmp.Or(opts.ControlPlane, os.Getenv(controlPlaneVariable)); program != "" {
		args = append(args, "-control-plane", program)
	}
	c := &Cluster{
		cmd:    exec.Command(binary, args...),
		stderr: new(lockedBuffer),
		lines:  make(chan response, 1),
		exited: make(chan struct{}),
	}
	// A process group of its own: Ctrl-C in a terminal ends this process first,
	// which ends the cluster.
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
		return nil, fmt.Errorf("load the test cluster's kubeconfig: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	return config, nil
}

// read sends the output of the process to lines, until it ends.
func (c *Cluster) read(stdout io.Reader) {
	for in := bufio.NewScanner(stdout); in.Scan(); {
		var line response
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			line = response{Error: fmt.Sprintf("unexpected output %q", in.Text())}
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

// Config returns a new copy of an administrator's configuration, without
// client-side throttling.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Stop stops the cluster, deletes its folder, and returns when both are done. It
// may be called again. It does nothing to a cluster of another process.
func (c *Cluster) Stop() error {
	if c.cmd == nil {
		return nil
	}
	c.stopping.Do(func() {
		c.stdin.Close()
		<-c.exited
		// A cancelled start is not a failure to stop.
		if c.Kubeconfig != "" && !c.cmd.ProcessState.Success() {
			c.stopErr = fmt.Errorf("stop the test cluster: %w", c.ended())
		}
	})
	return c.stopErr
}

// Kill ends one part with SIGKILL, which simulates a crash. The other parts keep
// running.
func (c *Cluster) Kill(part string) error { return c.command("kill " + part) }

// Restart starts a part again at the same port and with the same data, after
// killing it if it is running. It returns when the API server reports that it is
// ready, unless etcd or the API server were killed by Kill.
func (c *Cluster) Restart(part string) error { return c.command("restart " + part) }

// Upgrade restarts the API server, and then the controller manager and the
// scheduler, as those of another version of Kubernetes: controlPlane is a program
// of [BuildControlPlane] or [Binary]. etcd and its data stay.
func (c *Cluster) Upgrade(controlPlane string) error {
	for _, part := range []string{APIServer, ControllerManager, Scheduler} {
		if err := c.command("restart " + part + " " + controlPlane); err != nil {
			return err
		}
	}
	return nil
}

// AddServer starts a second API server on the same data, by a program as in
// Upgrade, and returns an administrator's configuration for it when it is ready.
func (c *Cluster) AddServer(controlPlane string) (*rest.Config, error) {
	done, err := c.run("add-server " + controlPlane)
	if err != nil {
		return nil, err
	}
	config := c.Config()
	config.Host = done.Server
	return config, nil
}

func (c *Cluster) command(line string) error {
	_, err := c.run(line)
	return err
}

// run has the process of the cluster run a command, and returns its response.
func (c *Cluster) run(line string) (response, error) {
	if c.cmd == nil {
		return response{}, fmt.Errorf("%s: this cluster belongs to another process (%s); use Start for a separate one", line, sharedVariable)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		return response{}, fmt.Errorf("%s: %w", line, errors.Join(err, c.ended()))
	}
	done, ok := <-c.lines
	if !ok {
		return response{}, fmt.Errorf("%s: %w", line, c.ended())
	}
	if done.Error != "" {
		return response{}, fmt.Errorf("%s: %s", line, done.Error)
	}
	return done, nil
}

// Log returns the log of a part. It is kept until Stop.
func (c *Cluster) Log(part string) (string, error) {
	if c.folder == "" {
		return "", fmt.Errorf("log of %s: this cluster belongs to another process (%s)", part, sharedVariable)
	}
	data, err := os.ReadFile(c.folder + "/" + part + ".log")
	if err != nil {
		return "", fmt.Errorf("log of %s: %w", part, err)
	}
	return string(data), nil
}

// lockedBuffer collects a process's stderr and can be read concurrently.
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
