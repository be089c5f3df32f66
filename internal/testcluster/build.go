package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Build returns the path of the binary, after building it if necessary. It writes
// a line to progress now and then. Concurrent processes build it only once. It
// needs the go command, and the network if a module is not in Go's module cache.
func Build(ctx context.Context, progress io.Writer) (string, error) {
	return buildTarget(ctx, target{}, progress)
}

// BuildControlPlane is Build for the control plane of another version of
// Kubernetes, such as "1.34": for -control-plane of the test cluster. [Versions]
// lists them.
func BuildControlPlane(ctx context.Context, version string, progress io.Writer) (string, error) {
	known, err := Versions()
	if err != nil {
		return "", err
	}
	if !slices.Contains(known, version) {
		return "", fmt.Errorf("there is no control plane of version %q; there are %s", version, strings.Join(known, ", "))
	}
	return buildTarget(ctx, target{version}, progress)
}

func buildTarget(ctx context.Context, t target, progress io.Writer) (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	path, err := t.path(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("build the test cluster: %w", err)
	}
	if markUsed(path) { // without waiting for the build of another target
		return path, nil
	}
	unlock, err := lockBuild(ctx, filepath.Dir(path), progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if markUsed(path) {
		return path, nil
	}
	if err := build(ctx, t, dir, path, progress); err != nil {
		return "", err
	}
	removeUnused(path)
	return path, nil
}

// markUsed keeps a built program from being removed as unused; false if there is
// none.
func markUsed(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

func build(ctx context.Context, t target, dir, path string, progress io.Writer) error {
	fmt.Fprintf(progress, "Building %s. The first time this takes about ten minutes and 2 GiB of memory, later seconds.\n", t)
	start := time.Now()
	partial := path + ".partial"
	defer os.Remove(partial)
	flags, err := t.linkerFlags(dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-modfile", t.modFile(dir), "-ldflags", flags, "-o", partial, t.source())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output

	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("build the test cluster: %w", err)
	}
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(progress, "  still building, %v so far\n", time.Since(start).Round(time.Second))
		case err := <-ended:
			if ctx.Err() != nil {
				return fmt.Errorf("build the test cluster: %w", context.Cause(ctx))
			}
			if err != nil {
				return fmt.Errorf("build the test cluster: go build in %s: %w\n%s", dir, err, output.Bytes())
			}
			if err := os.Rename(partial, path); err != nil {
				return fmt.Errorf("build the test cluster: %w", err)
			}
			fmt.Fprintf(progress, "Built %s in %v.\n", path, time.Since(start).Round(time.Second))
			return nil
		}
	}
}

// lockBuild serializes builds. The lock is released when its process ends,
// however that happens.
func lockBuild(ctx context.Context, dir string, progress io.Writer) (unlock func(), err error) {
	file, err := os.Create(filepath.Join(dir, "build.lock"))
	if err != nil {
		return nil, fmt.Errorf("build the test cluster: %w", err)
	}
	for waited := 0; ; waited++ {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("build the test cluster: lock %s: %w", file.Name(), err)
		}
		if waited%150 == 0 {
			fmt.Fprintln(progress, "Another process is building the test cluster; waiting for it.")
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("build the test cluster: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unused is how long a binary of other sources is kept: another checkout of this
// repository may be using it.
const unused = 24 * time.Hour

func removeUnused(current string) {
	entries, err := os.ReadDir(filepath.Dir(current))
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), binaryPrefix) && !strings.HasPrefix(entry.Name(), controlPlanePrefix) || entry.Name() == filepath.Base(current) {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > unused {
			os.Remove(filepath.Join(filepath.Dir(current), entry.Name()))
		}
	}
}
