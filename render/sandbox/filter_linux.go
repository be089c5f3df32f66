//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// denied are the system calls that fail with EPERM: they start or touch processes,
// reach a network, change files or the kernel's settings, or get around this
// filter. The runtime and the renderer need none.
var denied = append([]uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
	unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PIDFD_GETFD, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV,
	unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_SETPGID, unix.SYS_SETSID, unix.SYS_SETRLIMIT,
	unix.SYS_SETPRIORITY, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETATTR,

	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_CONNECT,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMSG, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,

	unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_UNLINKAT,
	unix.SYS_RENAMEAT2, unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_FCHMOD, unix.SYS_FCHMODAT,
	unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT, unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR,
	unix.SYS_MEMFD_CREATE, unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN, unix.SYS_INOTIFY_INIT1,
	unix.SYS_FANOTIFY_INIT,

	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_FSOPEN,
	unix.SYS_FSMOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_USERFAULTFD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
	unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SETUID, unix.SYS_SETGID,
	unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_CAPSET, unix.SYS_PERSONALITY, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_QUOTACTL,
}, deniedByArch...)

// installFilter lets the kernel refuse system calls, in all threads, and gives up
// new privileges in all of them.
func installFilter() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	code := filter(uint32(os.Getpid()))
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	thread, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(code)
	switch {
	case errno != 0:
		return fmt.Errorf("filter system calls: %w", errno)
	case thread != 0:
		return fmt.Errorf("filter system calls: thread %d refused", thread)
	}
	return nil
}

// Offsets in struct seccomp_data, of the low half of 64 bits for arguments.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// filter is the program that the kernel runs for each system call.
func filter(pid uint32) []unix.SockFilter {
	const (
		deny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		lacks = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	result := func(what uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
	}
	// test goes so many instructions further where the comparison holds, or not.
	test := func(op uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	code := []unix.SockFilter{
		load(offsetArch),
		test(unix.BPF_JEQ, auditArch, 1, 0), result(unix.SECCOMP_RET_KILL_PROCESS),
		load(offsetCall),
		test(unix.BPF_JGE, 0x40000000, 0, 1), result(deny), // the x32 numbers of amd64
		// The C library tries clone where clone3, whose flags are out of reach, does not exist.
		test(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), result(lacks),
	}
	for _, call := range denied {
		code = append(code, test(unix.BPF_JEQ, call, 0, 1), result(deny))
	}
	argument := func(call, index, k uint32, op uint16, allowed bool) {
		yes, no := uint8(1), uint8(0)
		if !allowed {
			yes, no = 0, 1
		}
		code = append(code, test(unix.BPF_JEQ, call, 0, 4), load(offsetArgs+8*index), test(op, k, yes, no), result(deny), result(unix.SECCOMP_RET_ALLOW))
	}
	argument(unix.SYS_CLONE, 0, unix.CLONE_THREAD, unix.BPF_JSET, true)
	argument(unix.SYS_TGKILL, 0, pid, unix.BPF_JEQ, true)
	argument(unix.SYS_PRLIMIT64, 1, unix.RLIMIT_CPU, unix.BPF_JEQ, true)
	argument(unix.SYS_OPENAT, 2, unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|unix.O_APPEND, unix.BPF_JSET, false)
	return append(code, result(unix.SECCOMP_RET_ALLOW))
}
