package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// DefaultLogLines is how many of a test's last log lines are read, of each
// container.
const DefaultLogLines = 50

// TestOptions are the settings of [Engine.Test]. The zero value runs all tests.
type TestOptions struct {
	// Filter says which Jobs and Pods run. What other test hooks there are,
	// such as a ConfigMap that they read, is always created. Nil: all.
	Filter func(diff.Object) bool
	// Timeout bounds each test. 0: DefaultTimeout.
	Timeout time.Duration
	// Patience says what counts as hopeless, which fails a test before its
	// time. Zero: the defaults.
	Patience Patience
	// LogLines is how many of the last lines are read of each container of a
	// test, however it ended. 0: DefaultLogLines. Negative: none.
	LogLines int
	// LockTimeout is how long to wait for a deployer that is at work on the
	// release, as in ApplyOptions.
	LockTimeout time.Duration
}

// TestPhase is how a test ended, in Helm's words.
type TestPhase string

const (
	TestSucceeded TestPhase = "Succeeded"
	TestFailed    TestPhase = "Failed"
)

// TestResult is how one test of a release went. It is plain data, but for Err,
// and holds no value of any Secret of the release.
type TestResult struct {
	Object  diff.Object    `json:"object"`
	Phase   TestPhase      `json:"phase"`
	Started time.Time      `json:"started"`
	Took    time.Duration  `json:"took"` // in nanoseconds
	Logs    []ContainerLog `json:"logs,omitempty"`
	// Reason of a failure, for people; empty if there was none.
	Reason string `json:"reason,omitempty"`
	// Err is the failure: an *Error, which may unwrap to a *NotReadyError with
	// a diagnosis. Nil: the test succeeded.
	Err error `json:"-"`
}

// ContainerLog is the end of what a container has printed.
type ContainerLog struct {
	Pod       string   `json:"pod"`
	Container string   `json:"container"`
	Lines     []string `json:"lines,omitempty"` // oldest first
	// Unread says why there are no lines; empty if they could be read.
	Unread string `json:"unread,omitempty"`
}

// TestError says which tests of a release failed. It unwraps to the error of
// each.
type TestError struct {
	Key      Key
	Revision int
	Failed   []TestResult
	Run      int // how many tests ran
}

func (e *TestError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d tests of revision %d of %s failed:", len(e.Failed), e.Run, e.Revision, e.Key)
	for _, f := range e.Failed {
		text := f.Err.Error()
		fmt.Fprintf(&b, "\n%s", text)
		for _, log := range f.Logs {
			shown := log.Lines[max(0, len(log.Lines)-10):]
			if len(shown) == 0 || strings.Contains(text, shown[len(shown)-1]) {
				continue // the diagnosis has them already
			}
			fmt.Fprintf(&b, "\n  pod %s, container %s:", log.Pod, log.Container)
			for _, line := range shown {
				fmt.Fprintf(&b, "\n    | %s", line)
			}
		}
	}
	return b.String()
}

func (e *TestError) Unwrap() []error {
	out := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		out[i] = f.Err
	}
	return out
}

// Test runs the tests of a release: the hooks with helm.sh/hook: test (or
// test-success) of its newest revision, one after the other by weight and name.
// Jobs and Pods have succeeded when they completed; other kinds when they are
// created. A test that fails does not keep the next from running. How each
// went is recorded in the revision, where helm status and helm get hooks show
// it; delete policies hold as for other hooks, after the logs were read.
//
// The error is a *TestError if tests failed; the results are those of the
// tests that ran, in order, in any case. A release without tests has none, and
// no error. Only a revision that is deployed, or that failed, can be tested.
// Options.Allow holds for tests as for all else.
func (e *Engine) Test(ctx context.Context, k Key, opts TestOptions) (results []TestResult, err error) {
	var rev *Revision
	defer e.tell(OperationTest, k)(&rev, &err)
	fail := func(err error) ([]TestResult, error) { return results, explain("test", k, diff.Object{}, err) }

	record, err := e.tested(ctx, k)
	if err != nil {
		return fail(err)
	}
	held, err := e.acquire(ctx, k, ApplyOptions{LockTimeout: opts.LockTimeout})
	if err != nil {
		return fail(err)
	}
	defer func() { held.release() }()
	working := ctx
	if held != nil {
		working = held.ctx
		if held.waited {
			if record, err = e.tested(working, k); err != nil {
				return fail(err)
			}
		}
	}
	rev = revisionOf(record)
	redactor, err := e.redactorOf(working, k, record)
	if err != nil {
		return fail(err)
	}
	t := &trial{
		run: &run{
			e: e, p: &Plan{Key: k}, w: &work{redactor: redactor}, record: record, lock: held,
			opts: ApplyOptions{Timeout: opts.Timeout, Patience: opts.Patience},
		},
		opts: opts,
	}
	if err := t.prepare(working); err != nil {
		return fail(err)
	}
	results, err = t.all(working)
	if len(results) == 0 || held.lost() {
		if held.lost() {
			err = lostError(k)
		}
		return fail(err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if recordErr := t.recordRuns(end); recordErr != nil {
		err = errors.Join(err, explain("record", k, diff.Object{}, recordErr))
	}
	return results, err
}

// tested is the revision whose tests run.
func (e *Engine) tested(ctx context.Context, k Key) (*storage.Record, error) {
	past, err := e.readPast(ctx, k)
	if err != nil {
		return nil, err
	}
	if past.last == nil || past.last.Status == storage.StatusUninstalled {
		return nil, notFound("test", k)
	}
	if s := past.last.Status; s != storage.StatusDeployed && s != storage.StatusFailed {
		return nil, &Error{Op: "test", Key: k, Hint: "deploy it first", Err: fmt.Errorf("revision %d is %s", past.last.Revision, s)}
	}
	return past.last, nil
}

// redactorOf hides the values of the Secrets of a revision, as it has them and
// as they are.
func (e *Engine) redactorOf(ctx context.Context, k Key, record *storage.Record) (*diff.Redactor, error) {
	objects, err := parseManifest(record.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", record.Revision, err)
	}
	all := hookObjects(record)
	for _, o := range objects {
		all = append(all, o.Unstructured)
	}
	pl := &planning{e: e, key: k}
	var secrets []*unstructured.Unstructured
	for _, u := range all {
		if u.GetKind() != "Secret" {
			continue
		}
		secrets = append(secrets, u)
		it, err := pl.newItem(ctx, u, noSource, nil)
		if errors.Is(err, ErrUnknownKind) || err == nil && !e.allowed(k, it.object) {
			continue
		}
		if err != nil {
			return nil, err
		}
		live, err := e.c.resource(it.mapping, it.object.Namespace).Get(ctx, it.object.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			secrets = append(secrets, live)
		case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
			return nil, fmt.Errorf("read %s: %w", it.object, err)
		}
	}
	return redactorFor(nil, secrets...), nil
}

// trial is one run of a release's tests.
type trial struct {
	*run
	opts  TestOptions
	hooks []hook
}

// prepare finds the tests, and whether they can run, before any of them does.
func (t *trial) prepare(ctx context.Context) error {
	for _, h := range hooksFor(t.record, string(render.HookTest)) {
		it, err := t.hookItem(ctx, h)
		if err != nil {
			return err
		}
		if isTest := it.object.Kind == "Job" || it.object.Kind == "Pod"; isTest && t.opts.Filter != nil && !t.opts.Filter(it.object) {
			continue
		}
		if !t.e.allowed(t.p.Key, it.object) {
			return notAllowed("test hook", t.p.Key, it.object)
		}
		t.hooks = append(t.hooks, h)
	}
	return nil
}

// all runs the tests. What is to be deleted after success goes when all have
// run, since one may be there for another.
func (t *trial) all(ctx context.Context) ([]TestResult, error) {
	var results []TestResult
	failed := &TestError{Key: t.p.Key, Revision: t.record.Revision}
	for _, h := range t.hooks {
		if err := t.lock.check(ctx); err != nil {
			return results, err
		}
		r := TestResult{Phase: TestSucceeded, Started: time.Now()}
		t.ranHook = func(ctx context.Context, it *item) { r.Logs = t.logs(ctx, it) }
		r.Err = t.hook(ctx, h, string(render.HookTest))
		r.Object, r.Took = t.objectOf(h), time.Since(r.Started)
		if !h.stored.LastRun.CompletedAt.IsZero() && !h.stored.LastRun.StartedAt.Before(r.Started) {
			r.Took = h.stored.LastRun.CompletedAt.Sub(h.stored.LastRun.StartedAt) // without deleting and reading
		}
		if r.Err != nil {
			r.Phase, r.Reason = TestFailed, t.w.redactor.String(r.Err.Error())
			failed.Failed = append(failed.Failed, r)
		}
		results = append(results, r)
	}
	for i, h := range t.hooks {
		if results[i].Err != nil || !slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) {
			continue
		}
		if err := t.deleteHook(ctx, h); err != nil {
			t.warnLeft(err)
		}
	}
	if failed.Run = len(results); len(failed.Failed) > 0 {
		return results, failed
	}
	return results, nil
}

func (t *trial) objectOf(h hook) diff.Object {
	o := h.object
	o.Namespace = h.parsed.GetNamespace() // as hookItem has set it
	return o
}

// logs reads the last lines of all containers of a test.
func (t *trial) logs(ctx context.Context, it *item) []ContainerLog {
	lines := t.opts.LogLines
	if lines == 0 {
		lines = DefaultLogLines
	}
	if lines < 0 || it.live == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordingTime)
	defer cancel()
	core := t.e.c.typed.CoreV1()
	selector := "metadata.name=" + it.object.Name
	list := metav1.ListOptions{FieldSelector: selector}
	if it.object.Kind == "Job" {
		list = metav1.ListOptions{LabelSelector: "controller-uid=" + string(it.live.GetUID())}
	}
	pods, err := core.Pods(it.object.Namespace).List(ctx, list)
	if err != nil {
		return []ContainerLog{{Unread: t.w.redactor.String(err.Error())}}
	}
	var out []ContainerLog
	for _, pod := range pods.Items {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			log := ContainerLog{Pod: pod.Name, Container: c.Name}
			text, err := readiness.PodLogs(core)(ctx, pod.Namespace, pod.Name, c.Name, false, int64(lines))
			if err != nil {
				log.Unread = t.w.redactor.String(err.Error())
			}
			for _, line := range text {
				log.Lines = append(log.Lines, t.w.redactor.String(line))
			}
			out = append(out, log)
		}
	}
	return out
}

// recordRuns stores how the tests went, also if somebody else has changed the
// revision meanwhile.
func (t *trial) recordRuns(ctx context.Context) error {
	changed := func(err error) bool { return errors.Is(err, storage.ErrChanged) }
	record := t.record
	return retry.OnError(backoff, changed, func() error {
		err := t.e.store.Update(ctx, record)
		if !changed(err) {
			return err
		}
		now, readErr := t.e.store.Get(ctx, record.Namespace, record.Name, record.Revision)
		if readErr != nil {
			return readErr
		}
		for _, h := range t.hooks {
			for i := range now.Hooks {
				if now.Hooks[i].Path == h.stored.Path && now.Hooks[i].Name == h.stored.Name && now.Hooks[i].Kind == h.stored.Kind {
					now.Hooks[i].LastRun = h.stored.LastRun
				}
			}
		}
		record = now
		return err
	})
}
