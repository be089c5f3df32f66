package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Test runs the tests of a release: the hooks with helm.sh/hook: test (or
// test-success) of its newest revision, one after the other by weight and name.
// Jobs and Pods have succeeded when they completed; other kinds when they are
// created. A test that fails does not keep the next from running. The result of
// each is recorded in the revision, where helm status and helm get hooks show
// it; delete policies hold as for other hooks, after the logs were read.
//
// The error is a *TestError if tests failed; the results are those of the
// tests that ran, in order, in any case. For a release without tests both are
// nil. Only a revision that is deployed, or that failed, can be tested.
// Options.Allow applies to tests as well.
func (e *Engine) Test(ctx context.Context, k Key, opts TestOptions) (results []TestResult, err error) {
	e = e.forCall()
	if err := opts.validate(k); err != nil {
		return nil, err
	}
	ctx = e.writing(ctx, k)
	var rev *Revision
	defer e.reportCall(OperationTest, k)(&rev, &err)
	fail := func(err error) ([]TestResult, error) { return results, explain("test", k, diff.Object{}, err) }

	record, err := e.testedRevision(ctx, k)
	if err != nil {
		return fail(err)
	}
	l, err := e.acquire(ctx, k, ApplyOptions{LockTimeout: opts.LockTimeout})
	if err != nil {
		return fail(err)
	}
	defer func() { l.Release() }()
	working := l.Context(ctx)
	if l.Waited() {
		if record, err = e.testedRevision(working, k); err != nil {
			return fail(err)
		}
	}
	tested := revisionFrom(record.Meta())
	rev = &tested
	t, err := e.newTestRun(working, k, record, l, opts)
	if err != nil {
		return fail(err)
	}
	results, err = t.runAll(working)
	if l.Lost() {
		return fail(lostError(k))
	}
	if len(results) == 0 {
		return fail(err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if recordErr := t.recordTests(end, t.tests); recordErr != nil {
		err = errors.Join(err, explain("record", k, diff.Object{}, recordErr))
	}
	return results, err
}

// testedRevision is the revision whose tests run.
func (e *Engine) testedRevision(ctx context.Context, k Key) (*storage.Record, error) {
	h, err := e.readHistory(ctx, k)
	if err != nil {
		return nil, err
	}
	if h.last == nil || h.last.Status == storage.StatusUninstalled {
		return nil, notFound("test", k)
	}
	if s := h.last.Status; s != storage.StatusDeployed && s != storage.StatusFailed {
		return nil, &Error{Op: "test", Key: k, Hint: "deploy it first", Err: fmt.Errorf("revision %d is %s", h.last.Revision, s)}
	}
	return h.last, nil
}
