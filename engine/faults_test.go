package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// unreliable is a connection on which a fifth of all requests fail: rejected by
// overload, failed, reset before or after they were processed, with a truncated
// response, or delayed.
type unreliable struct {
	next   http.RoundTripper
	mu     sync.Mutex
	rand   *rand.Rand
	faults map[string]int
	stall  time.Duration
}

func (u *unreliable) draw() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rand.IntN(5) > 0 {
		return ""
	}
	fault := []string{"429", "500", "503", "reset before", "reset after", "cut", "stall"}[u.rand.IntN(7)]
	u.faults[fault]++
	return fault
}

func (u *unreliable) RoundTrip(req *http.Request) (*http.Response, error) {
	fault := u.draw()
	switch fault {
	case "429", "500", "503":
		var code int
		fmt.Sscan(fault, &code)
		if req.Body != nil {
			req.Body.Close()
		}
		return &http.Response{
			StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
			Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("the proxy is out of sorts")),
		}, nil
	case "reset before":
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("read tcp: %w", syscall.ECONNRESET)
	case "stall":
		select {
		case <-time.After(u.stall):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	res, err := u.next.RoundTrip(req)
	if err != nil || req.URL.Query().Has("watch") {
		return res, err
	}
	switch fault {
	case "reset after":
		res.Body.Close()
		return nil, fmt.Errorf("read tcp: %w", syscall.ECONNRESET)
	case "cut":
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text[:len(text)/2]), failing{}))
	}
	return res, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// faultsVariable is the number of deploys of TestUnreliableConnection; with more
// than the default, delays are 5 s instead of half a second.
const faultsVariable = "FAIRLEAD_FAULTS"

// On a connection on which a fifth of the requests fail, deploys succeed, or end
// in a typed error within their deadline; a further deploy gives the same result
// as on a good connection.
func TestUnreliableConnection(t *testing.T) {
	f := newFixture(t)
	const (
		releases = 5
		deadline = 3 * time.Minute
	)
	deploys, stall := 25, 500*time.Millisecond
	if text := os.Getenv(faultsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < releases {
			t.Fatalf("%s is %q, not a number from %d", faultsVariable, text, releases)
		}
		deploys, stall = n, 5*time.Second
	}
	u := &unreliable{rand: rand.New(rand.NewPCG(1, 2)), faults: map[string]int{}, stall: stall}
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { u.next = next; return u })
	e, err := engine.New(cfg, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": strings.Replace(configMap, "-config", "-more", 1), "web.yaml": deployment,
		"hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n"})
	var (
		each   = deploys / releases
		mu     sync.Mutex
		took   time.Duration // the longest
		failed = make([]int, releases)
		at     = make([]*fixture, releases) // each release is deployed repeatedly, concurrently with the others
		wg     sync.WaitGroup
	)
	deploy := func(r engine.Release) error {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		begun := time.Now()
		_, err := e.Deploy(ctx, r, engine.ApplyOptions{})
		mu.Lock()
		defer mu.Unlock()
		took = max(took, time.Since(begun))
		return err
	}
	for k := range releases {
		g := anotherFixture(f)
		g.ctx, at[k] = t.Context(), g
		wg.Go(func() {
			for i := range each {
				err := deploy(g.release(c, fmt.Sprintf("colour=c%d", i), fmt.Sprintf("tag=1.%d", i/10)))
				if err == nil {
					continue
				}
				failed[k]++
				t.Logf("deploy %d: %v", i, err)
				if typed := (*engine.Error)(nil); !errors.As(err, &typed) {
					t.Errorf("deploy %d ended in a %T: %v", i, err, err)
				}
			}
		})
	}
	wg.Wait()
	failures := 0
	for k, g := range at {
		last := g.release(c, fmt.Sprintf("colour=c%d", each-1), fmt.Sprintf("tag=1.%d", (each-1)/10))
		revisions, err := g.engine.History(g.ctx, g.key)
		if failures += failed[k]; failed[k] > 0 {
			g.deploy(last)
		} else if err != nil || revisions[len(revisions)-1].Revision != each {
			t.Errorf("history: %+v, %v", revisions, err)
		}
		if p := g.plan(last); p.Changed() {
			t.Errorf("the last deploy was not applied completely: %s", p.Report.Summary())
		}
		g.wantUnlocked()
	}
	t.Logf("%d deploys, %d ended in a typed error, the longest took %v; faults: %v", each*releases, failures, took, u.faults)
	if took > deadline+5*time.Second {
		t.Errorf("a deploy took %v, longer than its deadline", took)
	}
	if failures > deploys/20 {
		t.Error("more than one of twenty failed")
	}
	if len(u.faults) != 7 {
		t.Errorf("not all faults were played: %v", u.faults)
	}
}

// With an API server that returns only errors, a call ends within its deadline,
// with the sentinel of the error.
func TestServerThatOnlyFails(t *testing.T) {
	f := newFixture(t)
	var broken atomic.Bool
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if !broken.Load() {
				return next.RoundTrip(req)
			}
			if req.Body != nil {
				req.Body.Close()
			}
			return nil, fmt.Errorf("dial tcp: %w", syscall.ECONNREFUSED)
		})
	})
	e := f.newEngine(cfg)
	c := f.chart(map[string]string{"a.yaml": configMap})
	if _, err := e.Plan(f.ctx, f.release(c), engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	ctx, cancel := context.WithTimeout(f.ctx, time.Second)
	defer cancel()
	_, err := e.Deploy(ctx, f.release(c), engine.ApplyOptions{})
	var typed *engine.Error
	if !errors.As(err, &typed) || !errors.Is(err, engine.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%T %v", err, err)
	}
}
