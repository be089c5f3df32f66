//go:build !linux || !(amd64 || arm64)

package sandbox

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

const supported = false

const program = ""

func processAttributes(bool) *syscall.SysProcAttr { return nil }

func namespaceRefused(error) bool { return false }

func confine(childConfig) ([]string, error) {
	return nil, &UnsupportedError{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH}
}

func allowProcessorTime(int64) error { return nil }

func processorTime() int64 { return 0 }

func isPipeError(error) bool { return false }

func processorTimeUp(*os.ProcessState, time.Duration) bool { return false }
