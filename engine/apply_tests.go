package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// testRun is one run of a release's tests.
type testRun struct {
	*run
	tests    []hook
	logLines int
}

// newTestRun finds the tests, and whether they can run, before any of them
// does.
func (e *Engine) newTestRun(ctx context.Context, k Key, record *storage.Record, l *lock.Lock, opts TestOptions) (*testRun, error) {
	redactor, err := e.redactorOfRevision(ctx, k, record)
	if err != nil {
		return nil, err
	}
	p := &Plan{Key: k, work: &work{redactor: redactor, record: record}}
	t := &testRun{run: newRun(e, p, ApplyOptions{Timeout: opts.Timeout, HooksTimeout: opts.HooksTimeout, FailurePolicy: opts.FailurePolicy, OnCancel: CancelFails}, l), logLines: opts.LogLines}
	if t.logLines == 0 {
		t.logLines = DefaultLogLines
	}
	for _, h := range hooksFor(record, string(render.HookTest)) {
		at, err := t.hookTarget(ctx, h)
		if err != nil {
			return nil, err
		}
		if endsByItself(at) && opts.Filter != nil && !opts.Filter(at.id) {
			continue
		}
		if why := e.blocked(k, at.id, h.parsed.Unstructured); why != nil {
			return nil, notAllowed("test hook", k, at.id, why)
		}
		t.tests = append(t.tests, h)
	}
	return t, nil
}

// redactorOfRevision hides the values of the Secrets of a revision, both
// recorded and live.
func (e *Engine) redactorOfRevision(ctx context.Context, k Key, record *storage.Record) (*diff.Redactor, error) {
	objects, err := parseManifest(record.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", record.Revision, err)
	}
	all := hookObjects(record)
	for _, o := range objects {
		all = append(all, o.Unstructured)
	}
	var secrets []*unstructured.Unstructured
	for _, u := range all {
		if u.GetKind() != "Secret" {
			continue
		}
		secrets = append(secrets, u)
		t, err := e.target(ctx, k, u, unknownSource)
		if errors.Is(err, ErrUnknownKind) || err == nil && e.blocked(k, t.id, u) != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		live, err := e.cluster.Resource(t.mapping, t.id.Namespace).Get(ctx, t.id.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			secrets = append(secrets, live)
		case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
			return nil, fmt.Errorf("read %s: %w", t.id, err)
		}
	}
	earlier, err := e.earlierSecrets(ctx, k, []*storage.Record{record})
	if err != nil {
		return nil, err
	}
	return redactorOf(append(secrets, earlier...)...), nil
}

// runAll runs the tests. What is to be deleted after success goes when all have
// run, since one may need another.
func (t *testRun) runAll(ctx context.Context) ([]TestResult, error) {
	var results []TestResult
	failed := &TestError{Key: t.p.Key, Revision: t.record.Revision}
	for _, h := range t.tests {
		if err := t.lock.Check(ctx); err != nil {
			return results, err
		}
		r := t.runTest(ctx, h)
		if r.Err != nil {
			failed.Failed = append(failed.Failed, r)
		}
		results = append(results, r)
	}
	for i, h := range t.tests {
		if results[i].Err != nil || !slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) {
			continue
		}
		if err := t.deleteHook(ctx, h); err != nil {
			t.warnLeftBehind(err)
		}
	}
	if failed.Run = len(results); len(failed.Failed) > 0 {
		return results, failed
	}
	return results, nil
}

func (t *testRun) runTest(ctx context.Context, h hook) TestResult {
	r := TestResult{Phase: TestSucceeded, Started: time.Now()}
	r.Err = t.runHook(ctx, h, string(render.HookTest), func(ctx context.Context, created createdHook) {
		r.Logs = t.logs(ctx, created)
	})
	r.Object, r.Took = h.object, time.Since(r.Started)
	r.Object.Namespace = h.parsed.GetNamespace() // as hookTarget has set it
	if !h.stored.LastRun.CompletedAt.IsZero() && !h.stored.LastRun.StartedAt.Before(r.Started) {
		r.Took = h.stored.LastRun.CompletedAt.Sub(h.stored.LastRun.StartedAt) // without deleting and reading
	}
	if r.Err != nil {
		r.Phase, r.Reason = TestFailed, t.texts.in(ctx)(r.Err.Error())
	}
	return r
}

// logs reads the last lines of all containers of a test.
func (t *testRun) logs(ctx context.Context, test createdHook) []ContainerLog {
	if t.logLines < 0 || test.live == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordingTime)
	defer cancel()
	redact := t.texts.in(ctx)
	core := t.e.cluster.Typed.CoreV1()
	list := metav1.ListOptions{FieldSelector: "metadata.name=" + test.id.Name}
	if test.id.Kind == "Job" {
		list = metav1.ListOptions{LabelSelector: "controller-uid=" + string(test.live.GetUID())}
	}
	pods, err := core.Pods(test.id.Namespace).List(ctx, list)
	if err != nil {
		return []ContainerLog{{Unread: redact(err.Error())}}
	}
	var out []ContainerLog
	for _, pod := range pods.Items {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			log := ContainerLog{Pod: pod.Name, Container: c.Name}
			text, err := readiness.PodLogs(core)(ctx, pod.Namespace, pod.Name, c.Name, false, int64(t.logLines))
			if err != nil {
				log.Unread = redact(err.Error())
			}
			for _, line := range text {
				log.Lines = append(log.Lines, redact(line))
			}
			out = append(out, log)
		}
	}
	return out
}
