package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// traffic counts what a process sends and receives, at the transport, so that
// all client libraries are counted alike.
type traffic struct {
	// delay is added to each round trip, before the request is sent: the
	// distance of the cluster. Connections are made without it.
	delay atomic.Int64

	mu       sync.Mutex
	requests map[string]int // by verb
	sent     int64          // bytes of request bodies
	received atomic.Int64   // bytes of response bodies
}

// wrap counts the requests of config.
func (t *traffic) wrap(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	config.WarningHandler = rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{t, next} })
	return config
}

// reset sets all counts to zero.
func (t *traffic) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests, t.sent = map[string]int{}, 0
	t.received.Store(0)
}

// counted returns the counts since reset.
func (t *traffic) counted() (requests map[string]int, sent, received int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]int, len(t.requests))
	for verb, n := range t.requests {
		out[verb] = n
	}
	return out, t.sent, t.received.Load()
}

type counter struct {
	t    *traffic
	next http.RoundTripper
}

// WrappedRoundTripper implements client-go's interface of wrappers.
func (c *counter) WrappedRoundTripper() http.RoundTripper { return c.next }

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	verb := verbOf(req)
	c.t.mu.Lock()
	if c.t.requests == nil {
		c.t.requests = map[string]int{}
	}
	c.t.requests[verb]++
	c.t.sent += max(0, req.ContentLength)
	c.t.mu.Unlock()

	if delay := time.Duration(c.t.delay.Load()); delay > 0 {
		select {
		case <-time.After(delay):
		case <-req.Context().Done():
			if req.Body != nil {
				req.Body.Close() // a RoundTripper must
			}
			return nil, req.Context().Err()
		}
	}
	res, err := c.next.RoundTrip(req)
	if res != nil && res.Body != nil {
		res.Body = &countedBody{res.Body, &c.t.received}
	}
	return res, err
}

type countedBody struct {
	io.ReadCloser
	received *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received.Add(int64(n))
	return n, err
}

// verbOf returns the request's verb as in RBAC; "discovery" for requests that are
// not about objects, and "dry-run" for writes that are not persisted.
func verbOf(req *http.Request) string {
	query := req.URL.Query()
	path := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case path[0] == "api" && len(path) > 2:
		path = path[2:]
	case path[0] == "apis" && len(path) > 3:
		path = path[3:]
	default:
		return "discovery"
	}
	if path[0] == "namespaces" && len(path) > 2 {
		path = path[2:]
	}
	watch := query.Get("watch")
	switch {
	case strings.HasPrefix(req.URL.Path, "/apis/authorization.k8s.io/"): // persists nothing
		return "review"
	case query.Has("dryRun"):
		return "dry-run"
	case watch == "true" || watch == "1":
		return "watch"
	case req.Method == http.MethodGet && len(path) == 1:
		return "list"
	case req.Method == http.MethodGet:
		return "get"
	case req.Method == http.MethodPost:
		return "create"
	case req.Method == http.MethodPut:
		return "update"
	case req.Method == http.MethodDelete && len(path) == 1:
		return "deletecollection"
	}
	return strings.ToLower(req.Method)
}
