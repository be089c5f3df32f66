package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// Many releases can be deployed with one Engine concurrently.
func TestManyReleasesAtOnce(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := f.release(c, fmt.Sprintf("colour=c%d", i))
			r.Name = fmt.Sprintf("shop-%d", i)
			for range 2 {
				if rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil || rev.Revision != 1 {
					t.Errorf("%s: %v, %v", r.Name, rev, err)
				}
			}
			if err := f.engine.Uninstall(f.ctx, r.Key, engine.ApplyOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.wantConfigMaps()
	list, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
	if err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

// Concurrent deploy, rollback and uninstall of one release succeed or return
// ErrBusy, and leave a history from which the next call continues.
func TestRivalVerbs(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig})
	f.deploy(f.release(c))
	f.deploy(f.release(c, "colour=red"))
	other := f.newEngine(f.config)
	var all sync.WaitGroup
	run := func(what string, call func() error) {
		all.Go(func() {
			err := call()
			var problems *engine.ProblemsError
			var stale *engine.StalePlanError
			switch {
			case err == nil, errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrReleaseNotFound), errors.Is(err, engine.ErrRevisionNotFound),
				errors.As(err, &problems), errors.As(err, &stale):
			default:
				t.Errorf("%s: %T %v", what, err, err)
			}
		})
	}
	for i := range 3 {
		run("deploy", func() error {
			_, err := f.engine.Deploy(f.ctx, f.release(c, fmt.Sprintf("colour=c%d", i)), engine.ApplyOptions{LockTimeout: time.Minute})
			return err
		})
		run("rollback", func() error {
			_, err := other.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{LockTimeout: time.Minute})
			return err
		})
	}
	run("uninstall", func() error { return other.Uninstall(f.ctx, f.key, engine.ApplyOptions{LockTimeout: time.Minute}) })
	all.Wait()
	f.deploy(f.release(c, "colour=last"))
	f.wantColour("last")
	history, err := f.engine.History(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	deployed := 0
	for _, r := range history {
		if r.Status == engine.StatusDeployed {
			deployed++
		}
		if strings.HasPrefix(string(r.Status), "pending") {
			t.Errorf("left pending: %v", r)
		}
	}
	if deployed != 1 {
		t.Errorf("history is %v", history)
	}
}
