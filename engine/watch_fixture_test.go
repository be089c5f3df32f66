package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// watcher collects what an engine's Watch returns, until the test ends.
type watcher struct {
	t       testing.TB
	cancel  context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	touched []engine.Touched
	err     error
}

func (f *fixture) watch(e *engine.Engine, opts engine.WatchOptions) *watcher {
	f.Helper()
	ctx, cancel := context.WithCancel(f.ctx)
	w := &watcher{t: f, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for t, err := range e.Watch(ctx, opts) {
			w.mu.Lock()
			if w.err = err; err == nil {
				w.touched = append(w.touched, t)
			}
			w.mu.Unlock()
		}
	}()
	f.Cleanup(w.stop)
	return w
}

func (w *watcher) stop() {
	w.cancel()
	<-w.ended
}

// take returns what has come since the last call.
func (w *watcher) take() []engine.Touched {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.touched
	w.touched = nil
	return out
}

// await waits for a touch of a release that want accepts, and returns it. What
// has come by then is dropped.
func (w *watcher) await(k engine.Key, want func(engine.Touch) bool) engine.Touch {
	w.t.Helper()
	var seen []engine.Touched
	var found engine.Touch
	testcluster.Eventually(w.t, time.Minute, func(context.Context) error {
		seen = append(seen, w.take()...)
		for _, t := range seen {
			if i := slices.IndexFunc(t.Touches, want); t.Key == k && i >= 0 {
				found = t.Touches[i]
				return nil
			}
		}
		return fmt.Errorf("the watch returned %v", seen)
	})
	return found
}

func (w *watcher) awaitReason(k engine.Key, reason engine.TouchReason) engine.Touch {
	w.t.Helper()
	return w.await(k, func(t engine.Touch) bool { return t.Reason == reason })
}

// watchGate is a transport whose watches can be held back, and broken.
type watchGate struct {
	mu      sync.Mutex
	open    chan struct{} // closed: they are not held back
	broken  chan struct{} // closed: those that have begun are broken
	refused int           // status of those that begin; 0: none is refused
}

func newWatchGate(cfg *rest.Config) (*watchGate, *rest.Config) {
	g := &watchGate{open: make(chan struct{}), broken: make(chan struct{})}
	close(g.open)
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Get("watch") == "" {
				return next.RoundTrip(req)
			}
			g.mu.Lock()
			refused, broken := g.refused, g.broken
			g.mu.Unlock()
			if refused != 0 {
				return &http.Response{StatusCode: refused, Request: req, Body: http.NoBody, Header: http.Header{}}, nil
			}
			res, err := next.RoundTrip(req)
			if err == nil {
				res.Body = &gatedBody{ReadCloser: res.Body, gate: g, broken: broken, closed: make(chan struct{})}
			}
			return res, err
		})
	})
	return g, cfg
}

// hold holds back what watches send, until release.
func (g *watchGate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *watchGate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// cut breaks all watches; status, if not 0, is what new ones are refused with.
func (g *watchGate) cut(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.broken)
	g.broken, g.refused = make(chan struct{}), status
}

func (g *watchGate) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = 0
}

type gatedBody struct {
	io.ReadCloser
	gate           *watchGate
	broken, closed chan struct{}
	once           sync.Once
}

func (b *gatedBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.ReadCloser.Close()
}

func (b *gatedBody) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	buf := make([]byte, len(p))
	go func() {
		n, err := b.ReadCloser.Read(buf)
		done <- result{n, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-b.broken:
		b.ReadCloser.Close()
		return 0, io.ErrUnexpectedEOF
	}
	b.gate.mu.Lock()
	open := b.gate.open
	b.gate.mu.Unlock()
	select {
	case <-open:
	case <-b.closed:
		return 0, errors.New("closed")
	case <-b.broken:
		b.ReadCloser.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, buf[:got.n]), got.err
}
