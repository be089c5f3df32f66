package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
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

	l := e.newLock(ctx, k)
	defer l.Release()
	working := l.Context(ctx)
	record, err := e.reserveTested(working, k, l, ApplyOptions{LockTimeout: opts.LockTimeout})
	if err != nil {
		return fail(err)
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

// reserveTested reads the revision whose tests run, when no other operation works on
// the release, and keeps others from beginning.
func (e *Engine) reserveTested(ctx context.Context, k Key, l *lock.Lock, opts ApplyOptions) (*storage.Record, error) {
	turn := &turns{e: e, key: k, lock: l, opts: opts}
	for race := 0; ; race++ {
		h, err := e.readHistory(ctx, k)
		if err != nil {
			return nil, err
		}
		waited, err := turn.await(ctx, h)
		if err != nil {
			return nil, err
		}
		if waited {
			continue
		}
		if err := testable(k, h.last); err != nil {
			return nil, err
		}
		err = e.reserveUnchanged(ctx, k, h, l)
		var reserved *storage.ReservedError
		switch {
		case errors.As(err, &reserved):
			if err := turn.awaitClaim(ctx, reserved.Claim); err != nil {
				return nil, err
			}
		case !errors.Is(err, errRaced):
			return h.last, err
		case race >= maxRaces:
			return nil, &Error{Op: "test", Key: k, Hint: "call again when it has finished", Err: fmt.Errorf("%w: it recorded revision %d first", ErrBusy, h.last.Revision+1)}
		}
	}
}

// testable returns an error if the newest revision has no tests to run.
func testable(k Key, last *storage.Record) error {
	if last == nil || last.Status == storage.StatusUninstalled {
		return notFound("test", k)
	}
	if s := last.Status; s != storage.StatusDeployed && s != storage.StatusFailed {
		return &Error{Op: "test", Key: k, Hint: "deploy it first", Err: fmt.Errorf("revision %d is %s", last.Revision, s)}
	}
	return nil
}
