package stack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

const (
	// killAll kills at every request instead of some.
	killAll = "FAIRLEAD_KILL_ALL"
	// killChild is what a child process does: its namespace, the version of the
	// stack, the file of the plan, the point at which it dies, the kubeconfig.
	killChild = "FAIRLEAD_STACK_KILL"
)

// killStack is a stack of three, of which one has an input that is unknown first.
func killStack(t testing.TB, e *engine.Engine, namespace, version string) *stack.Stack {
	release := func(name, text string) engine.Release {
		c := chart(t, name, map[string]string{"a.yaml": service, "b.yaml": configMap("{{ .Release.Name }}", "  version: {{ .Values.version | quote }}\n"+text)})
		return engine.Release{Key: engine.Key{Namespace: namespace, Name: name}, Source: c, Values: values(t, "version="+version)}
	}
	s, err := stack.New(namespace, e,
		stack.Member{Release: release("database", "")},
		stack.Member{Release: release("backend", "  host: {{ .Values.host }}\n"), Inputs: stack.Inputs{"host": clusterIP("database")}},
		stack.Member{Release: release("frontend", ""), Needs: []string{"backend"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A process that applies a stack is killed right before or after any of its
// requests; applying the same plan again ends it.
func TestStackKilledAtEveryRequest(t *testing.T) {
	f := newFixture(t)
	f.ctx = t.Context() // all points take minutes
	stride := 13
	if os.Getenv(killAll) != "" {
		stride = 1
	}
	for _, step := range []string{"1", "2"} { // the install, and an upgrade
		n := f.killRun(step, f.killNamespace(step), 0)
		if n < 30 {
			t.Errorf("version %s: it makes %d requests only", step, n)
		}
		points := make(chan int)
		var wg sync.WaitGroup
		var kills atomic.Int64
		for range 4 {
			wg.Go(func() {
				for point := range points {
					namespace := f.killNamespace(step)
					if f.killRun(step, namespace, point) == 0 {
						kills.Add(1)
					}
					f.recovers(step, namespace, point)
				}
			})
		}
		for point := 1; point <= 2*n && !t.Failed(); point += stride {
			points <- point
		}
		close(points)
		wg.Wait()
		t.Logf("version %s: %d requests, %d kills", step, n, kills.Load())
	}
}

// killEngine is one whose locks of killed processes expire soon.
func killEngine(cfg *rest.Config) (*engine.Engine, error) {
	return engine.New(cfg, engine.Options{LeaseDuration: time.Second, Concurrency: 1})
}

// killNamespace is a namespace with what is there before the step.
func (f *fixture) killNamespace(step string) string {
	namespace := f.cluster.Namespace(f.T)
	if step == "1" {
		return namespace
	}
	s := killStack(f.T, f.engine, namespace, "1")
	plan, err := s.Plan(f.ctx, stack.PlanOptions{})
	if err == nil {
		_, err = s.Apply(f.ctx, plan, stack.ApplyOptions{})
	}
	if err != nil {
		f.Error(err)
	}
	return namespace
}

func (f *fixture) killPlan(namespace string) string {
	return filepath.Join(f.killDir(), namespace+".json")
}

// killDir is where plans are stored for the children.
func (f *fixture) killDir() string {
	dir := filepath.Join(os.TempDir(), "fairlead-stack-kill-"+f.namespace)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// killRun applies the stack in a process of its own, which dies at the point:
// before its k-th request at 2k-1, after it at 2k. It returns the number of
// requests of one that was not killed.
func (f *fixture) killRun(step, namespace string, point int) int {
	s := killStack(f.T, f.engine, namespace, step)
	plan, err := s.Plan(f.ctx, stack.PlanOptions{})
	if err != nil {
		f.Error(err)
		return 0
	}
	text, err := json.Marshal(plan)
	if err != nil {
		f.Error(err)
		return 0
	}
	file := f.killPlan(namespace)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		f.Error(err)
		return 0
	}
	cmd := exec.CommandContext(f.ctx, os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), killChild+"="+strings.Join([]string{namespace, step, file, strconv.Itoa(point), f.cluster.Kubeconfig}, " "))
	out, err := cmd.CombinedOutput()
	if err == nil {
		var n int
		if _, err := fmt.Sscanf(string(out), "%d requests", &n); err != nil {
			f.Errorf("%v: %s", err, out)
		}
		return n
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		f.Errorf("it was not killed at point %d: %v: %s", point, err, out)
	}
	return 0
}

// recovers applies the stored plan again.
func (f *fixture) recovers(step, namespace string, point int) {
	e, err := killEngine(f.cluster.Config())
	if err != nil {
		f.Error(err)
		return
	}
	text, err := os.ReadFile(f.killPlan(namespace))
	if err != nil {
		f.Error(err)
		return
	}
	var plan stack.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		f.Error(err)
		return
	}
	s := killStack(f.T, e, namespace, step)
	if _, err := s.Apply(f.ctx, &plan, stack.ApplyOptions{LockTimeout: time.Minute}); err != nil {
		f.Errorf("version %s killed at point %d: %v", step, point, err)
		return
	}
	again, err := s.Plan(f.ctx, stack.PlanOptions{})
	if err != nil || again.Changed() {
		f.Errorf("version %s killed at point %d: it changes again: %v", step, point, err)
	}
}

// TestKilledChild is the child process.
func TestKilledChild(t *testing.T) {
	task := os.Getenv(killChild)
	if task == "" {
		t.Skip("only as a child of TestStackKilledAtEveryRequest")
	}
	part := strings.SplitN(task, " ", 5)
	point, err := strconv.Atoi(part[3])
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", part[4])
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	var sent atomic.Int64
	die := func(at int) {
		if point == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			k := int(sent.Add(1))
			die(2*k - 1)
			res, err := next.RoundTrip(req)
			die(2 * k)
			return res, err
		})
	})
	e, err := killEngine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(part[2])
	if err != nil {
		t.Fatal(err)
	}
	var plan stack.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	if _, err := killStack(t, e, part[0], part[1]).Apply(t.Context(), &plan, stack.ApplyOptions{Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%d requests\n", sent.Load())
}
