package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// unreliable is a connection on which a fifth of all requests goes wrong:
// refused by overload, failed, cut off before or after it was carried out, cut
// short in the answer, or held up.
type unreliable struct {
	next   http.RoundTripper
	mu     sync.Mutex
	rand   *rand.Rand
	faults map[string]int
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
		case <-time.After(500 * time.Millisecond):
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

// Over a connection on which a fifth of the requests goes wrong, every deploy
// succeeds, and leaves what one over a good connection leaves.
func TestUnreliableConnection(t *testing.T) {
	f := newFixture(t)
	u := &unreliable{rand: rand.New(rand.NewPCG(1, 2)), faults: map[string]int{}}
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { u.next = next; return u })
	e := f.newEngine(cfg)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": strings.Replace(configMap, "-config", "-more", 1), "web.yaml": deployment,
		"hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n"})
	const deploys = 25
	for i := range deploys {
		r := f.release(c, fmt.Sprintf("colour=c%d", i), fmt.Sprintf("tag=1.%d", i/10))
		if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil {
			t.Fatalf("deploy %d: %v", i, err)
		}
	}
	p := f.plan(f.release(c, fmt.Sprintf("colour=c%d", deploys-1), "tag=1.2"))
	if p.Changed() {
		t.Errorf("the last deploy was not carried out wholly: %s", p.Report.Summary())
	}
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil || revisions[len(revisions)-1].Revision != deploys {
		t.Errorf("history: %+v, %v", revisions, err)
	}
	for fault, n := range u.faults {
		t.Logf("%s: %d", fault, n)
	}
	if len(u.faults) != 7 {
		t.Errorf("not all faults were played: %v", u.faults)
	}
	f.wantNoLease()
}

// An API server that answers nothing but errors ends a call within its
// deadline, with the class of the error.
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
