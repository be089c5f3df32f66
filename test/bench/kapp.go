package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// kapp runs the program of that name, which is a process for each operation. It
// does not render; the objects are written to a file before it starts.
type kapp struct {
	program, kubeconfig string
	inFlight            int
	objects             objectCache

	wall, cpu time.Duration // of the last run
	peak      int64
}

// outside is a peer that is a program of its own.
type outside interface {
	// cost sets what the last task took, from the start to the end of the program.
	cost(f *figures)
}

func (k *kapp) cost(f *figures) {
	f.Wall, f.CPU, f.Peak, f.Idle = k.wall, k.cpu, k.peak, 0
}

func (k *kapp) do(ctx context.Context, t task) (int, error) {
	if !knows(kappName, t.Op) {
		return 0, fmt.Errorf("kapp does not support %q", t.Op)
	}
	args := []string{"deploy", "--apply-concurrency", strconv.Itoa(k.inFlight), "-a", t.Release, "-n", t.Namespace, "--kubeconfig", k.kubeconfig, "--yes", "--wait=false", "--tty=false", "--color=false"}
	if t.Op == opPlan {
		args = append(args, "--diff-run", "--diff-changes")
	}
	file, err := k.write(t)
	if err != nil {
		return 0, err
	}
	defer os.Remove(file)
	return 0, k.run(ctx, append(args, "-f", file))
}

// write writes the objects of a task to a file of documents.
func (k *kapp) write(t task) (string, error) {
	objects, err := k.objects.of(t)
	if err != nil {
		return "", err
	}
	var documents bytes.Buffer
	for _, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&documents, "---\n%s\n", data)
	}
	file := filepath.Join(t.Folder, fmt.Sprintf("%s-%s.yaml", t.Namespace, t.Release))
	return file, os.WriteFile(file, documents.Bytes(), 0o600)
}

func (k *kapp) run(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, k.program, args...)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	k.wall = time.Since(begun)
	if err != nil {
		return fmt.Errorf("kapp: %w: %s", err, bytes.TrimSpace(out))
	}
	k.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		k.peak = usage.Maxrss << 10
	}
	return nil
}

// kappVersion returns the version of the module that a program is built from.
func kappVersion(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("read which kapp is measured: %w", err)
	}
	for _, d := range append(info.Deps, &info.Main) {
		if d.Path == "carvel.dev/kapp" {
			return d.Version, nil
		}
	}
	return "", fmt.Errorf("%s is not built from carvel.dev/kapp", program)
}
