package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// report is one line of "cluster start -json": first the cluster's, then one for
// each command.
type report struct {
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Folder     string `json:"folder,omitempty"`
	Done       string `json:"done,omitempty"`   // the command
	Server     string `json:"server,omitempty"` // the URL of the server that it has started
	Error      string `json:"error,omitempty"`  // why it failed
}

func clusterFlags(name string) (*flag.FlagSet, *config) {
	flags := flag.NewFlagSet("cluster "+name, flag.ExitOnError)
	cfg := new(config)
	flags.IntVar(&cfg.nodes, "nodes", 3, "`number` of nodes")
	flags.StringVar(&cfg.storageClass, "storage-class", "", "`name` of a default StorageClass to create (default: none)")
	flags.StringVar(&cfg.controlPlane, "control-plane", "", "`program` built from package controlplane, for Kubernetes of another version")
	return flags, cfg
}

// start is "cluster start": a cluster until Ctrl-C.
func start(args []string) (err error) {
	flags, cfg := clusterFlags("start")
	asJSON := flags.Bool("json", false, "print JSON lines instead of text")
	untilClosed := flags.Bool("until-stdin-closes", false, `end with stdin, and run its commands "kill PART", "restart PART [PROGRAM]" and "add-server [PROGRAM]"`)
	extra := flags.String("kubeconfig", "", "also write the kubeconfig to this `file`; it is removed at the end")
	flags.Parse(args)
	if flags.NArg() > 0 {
		return fmt.Errorf("start: unexpected argument %q", flags.Arg(0))
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	// Stdin is read from the beginning, so that closing it also cancels the start.
	var commands <-chan string
	if *untilClosed {
		lines := make(chan string)
		commands = lines
		go func() {
			defer cancel()
			for in := bufio.NewScanner(os.Stdin); in.Scan(); {
				select {
				case lines <- in.Text():
				case <-ctx.Done():
					return
				}
			}
		}()
	}

	c, err := launch(ctx, *cfg)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	path := c.folder.file(kubeconfigFile)
	if *extra != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			defer os.Remove(*extra)
			err = os.WriteFile(*extra, data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		path = *extra
	}

	out := json.NewEncoder(os.Stdout)
	if *asJSON {
		out.Encode(report{Kubeconfig: path, Folder: c.folder.path})
	} else {
		fmt.Printf("The cluster is ready. Its kubeconfig is\n\n  export KUBECONFIG=%s\n\nCtrl-C stops and deletes the cluster.\n", path)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-c.died:
			if p, err := c.part(name); err == nil && p.died() {
				return p.failed("ended unexpectedly")
			}
		case line := <-commands:
			result := report{Done: line}
			var err error
			if result.Server, err = c.run(ctx, line); err != nil {
				result.Error = err.Error()
			}
			out.Encode(result)
		}
	}
}

// run runs one command of stdin, and returns the URL of a server that it adds.
func (c *cluster) run(ctx context.Context, line string) (server string, err error) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "kill":
		return "", c.kill(rest)
	case "restart":
		part, program, _ := strings.Cut(rest, " ")
		return "", c.restart(ctx, part, program)
	case "add-server":
		return c.addServer(ctx, rest)
	}
	return "", fmt.Errorf("unknown command %q, want kill PART, restart PART [PROGRAM] or add-server [PROGRAM]", verb)
}

// execute is "cluster exec": a cluster for as long as one command runs. It
// returns the command's *exec.ExitError.
func execute(args []string) (err error) {
	flags, cfg := clusterFlags("exec")
	flags.Parse(args)
	if flags.NArg() == 0 {
		return errors.New("exec: the command is missing, as in: cluster exec -- go test ./...")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	c, err := launch(ctx, *cfg)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() {
		if stopped := c.stop(); stopped != nil {
			err = errors.Join(stopped, err)
		}
	}()

	path := c.folder.file(kubeconfigFile)
	cmd := exec.Command(flags.Arg(0), flags.Args()[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+path, "FAIRLEAD_TEST_KUBECONFIG="+path)
	if cfg.controlPlane != "" { // for the clusters that the command itself starts
		cmd.Env = append(cmd.Env, "FAIRLEAD_TEST_CONTROL_PLANE="+cfg.controlPlane)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return err
		case name := <-c.died:
			// The command will fail by itself; this is the reason.
			if p, err := c.part(name); err == nil {
				fmt.Fprintf(os.Stderr, "cluster: %v\n", p.failed("ended unexpectedly"))
			}
		case <-ctx.Done():
			// Ctrl-C in a terminal also reaches the command; SIGTERM does not.
			cmd.Process.Signal(syscall.SIGTERM)
			return <-ended
		}
	}
}

// exitCode returns the exit code that a shell would report.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// interrupted returns a short error for a start that was cancelled.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("cancelled before the cluster was ready; it was removed")
	}
	return err
}
