//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// child runs the cases of the list and reports each on file 3.
func child(cases []Case, list string) {
	report := json.NewEncoder(os.NewFile(3, "report"))
	var space syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &space); err != nil || space.Cur != addressSpace {
		fmt.Fprintln(os.Stderr, "the address space is not limited")
		os.Exit(2)
	}
	for n := range strings.SplitSeq(list, ",") {
		i, err := strconv.Atoi(n)
		if err != nil || i < 0 || i >= len(cases) {
			fmt.Fprintln(os.Stderr, "no such case:", n)
			os.Exit(2)
		}
		o := measured(cases[i])
		o.Case = i
		if err := report.Encode(o); err != nil {
			os.Exit(2)
		}
	}
	syscall.Exit(0) // os.Exit(0) panics in a test
}

func measured(c Case) outcome {
	debug.FreeOSMemory()
	// 5 resets the peak of the resident size to what it is now.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before, begin := memory("VmRSS:"), processorTime()
	err := c.Run(context.Background())
	o := outcome{Took: processorTime() - begin, Peak: memory("VmHWM:") - before}
	if err != nil {
		o.Error = shorten(err.Error()) // it may repeat what the input has
	}
	o.Fault = c.fault(err, o)
	if o.Fault == "" {
		if err := unharmed(); err != nil {
			o.Fault = "the next render is harmed: " + err.Error()
		}
	}
	return o
}

// fault says what is wrong with an outcome.
func (c Case) fault(err error, o outcome) string {
	most := c.Memory
	if most == 0 {
		most = defaultMemory
	}
	longest := c.Time
	if longest == 0 {
		longest = maxTime
	}
	var limit *render.LimitError
	switch {
	case o.Peak > most:
		return fmt.Sprintf("took %d MiB, more than %d", o.Peak>>20, most>>20)
	case o.Took > longest:
		return fmt.Sprintf("took %s of processor time, more than %s", o.Took, longest)
	case c.Limit != "" && (!errors.As(err, &limit) || limit.Limit != c.Limit):
		return "the error does not name the limit " + c.Limit
	case errors.As(err, &limit) && c.template && limit.Limit != "FileBytes" && !placed(err):
		return "the error of the limit does not name the file and the expression"
	case err != nil && !typed(err) && (c.Typed == nil || !c.Typed(err)):
		return fmt.Sprintf("the error has no type of its own: %T", err)
	}
	return ""
}

// placed reports an error that says where in a template a limit was exceeded,
// as far as there is such a place.
func placed(err error) bool {
	var at *render.Error
	return errors.As(err, &at) && at.File != "" && (at.Op != "render" || at.Line == 0 || at.Expr != "")
}

// typed reports an error of package render.
func typed(err error) bool {
	var (
		general   *render.Error
		limit     *render.LimitError
		schema    *render.SchemaError
		duplicate *render.DuplicateError
		remote    *render.RemoteError
	)
	return errors.As(err, &general) || errors.As(err, &limit) || errors.As(err, &schema) ||
		errors.As(err, &duplicate) || errors.As(err, &remote)
}

// unharmed renders a small chart and compares what it prints.
func unharmed() error {
	chart, err := render.LoadFS(control)
	if err != nil {
		return err
	}
	m, err := chart.Render(context.Background(), render.Input{Name: "control"})
	if err != nil {
		return err
	}
	if got := m.Files["control/templates/x.yaml"]; got != controlText {
		return fmt.Errorf("it prints %q", got)
	}
	return nil
}

const controlText = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: control}\ndata: {a: \"1\"}\n"

var control fs.FS = fstest.MapFS{
	"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: control\nversion: 1.0.0\n")},
	"values.yaml":      {Data: []byte("a: 1\n")},
	"templates/x.yaml": {Data: []byte(strings.Replace(controlText, `"1"`, "{{ .Values.a | toString | quote }}", 1))},
}

// memory reads a size of this process, in bytes; 0 where it cannot be read.
func memory(field string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// processorTime is what this process has used: a busy machine does not count.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
