//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const supported = true

// program is the program that runs, also after its file was replaced.
const program = "/proc/self/exe"

const (
	maxOpenFiles = 64
	maxThreads   = 64
)

// processAttributes make the kernel start a child confined. In its user namespace
// the child is an ordinary user, without capabilities.
func processAttributes(namespaces bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if namespaces {
		a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// namespaceRefused reports whether starting failed because of the namespaces.
func namespaceRefused(err error) bool {
	for _, refusal := range []error{syscall.EPERM, syscall.EACCES, syscall.ENOSPC, syscall.EINVAL, syscall.EUSERS, syscall.ENOSYS} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// confine sets the limits of this process. missing lists what the kernel lacks; it
// fails where a limit that every kernel has cannot be set.
func confine(config childConfig) (missing []string, err error) {
	space, err := addressSpace()
	if err != nil {
		return nil, err
	}
	if err := closeInherited(); err != nil {
		return nil, err
	}
	if err := endAtProcessorTime(); err != nil {
		return nil, err
	}
	debug.SetTraceback("none") // the first line says why it crashed
	debug.SetGCPercent(400)    // the heap is small, and the limit holds
	debug.SetMemoryLimit(config.Memory / 4 * 3)
	debug.SetMaxStack(int(stackBytes(config.Memory)))
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	cpu := uint64(config.CPU)
	limits := []struct {
		resource   int
		soft, hard uint64
	}{
		{unix.RLIMIT_CORE, 0, 0},
		{unix.RLIMIT_FSIZE, 0, 0},
		{unix.RLIMIT_NOFILE, maxOpenFiles, maxOpenFiles},
		{unix.RLIMIT_CPU, cpu + 1, cpu * (maxCPUFactor + 2)},
		{unix.RLIMIT_AS, uint64(space + config.Memory), uint64(space + config.Memory)},
	}
	for _, l := range limits {
		if err := unix.Prlimit(0, l.resource, &unix.Rlimit{Cur: l.soft, Max: l.hard}, nil); err != nil {
			return nil, fmt.Errorf("set the limits of the child: %w", err)
		}
	}
	// Elsewhere the kernel counts the threads of all processes of the user.
	if !config.OwnUser || !countsThreadsByNamespace() {
		missing = append(missing, missingThreads)
	} else if err := unix.Prlimit(0, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: maxThreads, Max: maxThreads}, nil); err != nil {
		return nil, fmt.Errorf("set the limit of threads: %w", err)
	}
	if err := installFilter(); err != nil {
		missing = append(missing, missingFilter)
	}
	return missing, nil
}

// closeInherited closes what the parent's own parent left open for all its
// children. What this process has opened itself is marked to be closed by exec;
// what came through exec cannot be.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= 2 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}

// endAtProcessorTime makes the kernel end the process at the soft limit of
// processor time. The Go runtime ignores its signal otherwise.
func endAtProcessorTime() error {
	var byDefault [4]uint64 // struct sigaction
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGXCPU), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("let the kernel end the child: %w", errno)
	}
	return nil
}

// addressSpace is what the process has reserved so far, most of it without memory.
func addressSpace() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var pages int64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// countsThreadsByNamespace reports a kernel since 5.14.
func countsThreadsByNamespace() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 14
}

// allowProcessorTime allows the process so many seconds from now on.
func allowProcessorTime(seconds int64) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_CPU, nil, &limit); err != nil {
		return fmt.Errorf("read the limit of processor time: %w", err)
	}
	limit.Cur = min(uint64(processorTime()+seconds)+1, limit.Max)
	if err := unix.Prlimit(0, unix.RLIMIT_CPU, &limit, nil); err != nil {
		return fmt.Errorf("set the limit of processor time: %w", err)
	}
	return nil
}

// processorTime is what the process has used, in seconds.
func processorTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.MaxInt32 // use it no more
	}
	return int64(time.Duration(u.Utime.Nano()+u.Stime.Nano()) / time.Second)
}

func isPipeError(err error) bool { return errors.Is(err, syscall.EPIPE) }

// processorTimeUp reports whether the kernel ended a process because of its
// processor time: it kills without saying why at the hard limit.
func processorTimeUp(state *os.ProcessState, most time.Duration) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return false
	}
	return status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGKILL && state.UserTime()+state.SystemTime() >= maxCPUFactor*most
}
