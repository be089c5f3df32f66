// Package resend retries requests to an API server after temporary failures:
// overload, a restart, a broken connection. It is a RoundTripper below the
// clients, so that one policy covers every request of an engine. Response bodies
// are read here, so that a connection that breaks within a body is retried, too.
//
// A request may have been executed although its response was lost. Every request
// that is sent through this transport must be idempotent: server-side apply,
// deletes by UID, updates by resourceVersion. A create is not; its caller learns
// from [Count] whether "already exists" may be caused by the request itself.
package resend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Limits of one request. The waits are about 0.1, 0.2, 0.4, 0.8, 1.6, then 3 s
// each, with a jitter of a quarter.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 3 * time.Second
	// retryFor is how long after the first try further ones are made.
	retryFor = 30 * time.Second
	// longestWait bounds the Retry-After of a server.
	longestWait = 30 * time.Second
	// requestTimeout bounds one try. An API server itself times out requests
	// after a minute.
	requestTimeout = 65 * time.Second
)

// Transport is a RoundTripper that retries. It is safe for concurrent use.
type Transport struct {
	next      http.RoundTripper
	logger    *slog.Logger
	connected atomic.Bool // the server has responded before
}

// New returns a Transport that sends requests by next.
func New(next http.RoundTripper, logger *slog.Logger) *Transport {
	return &Transport{next: next, logger: logger}
}

type countKey struct{}

// Count returns a context in which retries are counted, and the counter.
func Count(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), n
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if streams(req) || req.Body != nil && req.GetBody == nil {
		return t.next.RoundTrip(req)
	}
	start := time.Now()
	wait := firstWait
	for try := 1; ; try++ {
		res, err := t.once(req)
		if err == nil {
			t.connected.Store(true)
		}
		retry, asked := t.retryable(req.Context(), res, err)
		if !retry {
			return res, err
		}
		pause := max(asked, wait-wait/4+rand.N(wait/2))
		wait = min(2*wait, maxWait)
		if asked > longestWait || time.Since(start)+pause > retryFor || !sleep(req.Context(), pause) {
			if res != nil {
				res.Header.Del("Retry-After") // or client-go would retry, too
			}
			return res, err
		}
		if n, ok := req.Context().Value(countKey{}).(*atomic.Int64); ok {
			n.Add(1)
		}
		t.logger.Debug("retrying request", "method", req.Method, "path", req.URL.Path, "try", try+1, "status", status(res), "error", err)
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req = req.Clone(req.Context())
			req.Body = body
		}
	}
}

// once sends the request and reads the complete response.
func (t *Transport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), requestTimeout, errTimeout)
	defer cancel()
	res, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, timedOut(ctx, err)
	}
	body, err := take(res.Body, res.ContentLength)
	res.Body.Close()
	if err != nil {
		return nil, timedOut(ctx, &brokenResponse{err})
	}
	res.Body = io.NopCloser(body)
	return res, nil
}

var errTimeout = errors.New("the API server did not respond within " + requestTimeout.String())

// timedOut returns the timeout of a try in place of the error that it caused.
func timedOut(ctx context.Context, err error) error {
	if context.Cause(ctx) == errTimeout {
		return &brokenResponse{errTimeout}
	}
	return err
}

// brokenResponse is returned when a response is incomplete.
type brokenResponse struct{ err error }

func (e *brokenResponse) Error() string   { return "read response: " + e.err.Error() }
func (e *brokenResponse) Unwrap() error   { return e.err }
func (e *brokenResponse) Timeout() bool   { return errors.Is(e.err, errTimeout) }
func (e *brokenResponse) Temporary() bool { return true }

// retryable reports whether the same request may succeed a moment later, and
// how long the server asks to wait.
func (t *Transport) retryable(ctx context.Context, res *http.Response, err error) (bool, time.Duration) {
	if ctx.Err() != nil {
		return false, 0
	}
	if err != nil {
		// If the server has never responded, the address may be wrong.
		return t.connected.Load() && isConnectionError(err), 0
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, retryAfter(res)
	case http.StatusInternalServerError:
		return !isApplyError(res), retryAfter(res)
	}
	return false, 0
}

// isConnectionError reports whether the connection failed, as opposed to a TLS
// failure or an error of a RoundTripper in between.
func isConnectionError(err error) bool {
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var network net.Error
	switch {
	case errors.As(err, &certificate), errors.As(err, &alert):
		return false
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		utilnet.IsConnectionReset(err), utilnet.IsConnectionRefused(err), utilnet.IsHTTP2ConnectionLost(err):
		return true
	}
	// net/http and its HTTP/2 implementation have no types for these errors.
	text := err.Error()
	return strings.Contains(text, "http2:") || strings.Contains(text, "transport connection broken") || strings.Contains(text, "server closed idle connection")
}

// isApplyError reports whether an internal error is about the object: server-side
// apply returns one for an object that does not match its schema, any write for
// a Service with one node port for two ports, and any read for an object that is
// stored in a version which its definition no longer has.
func isApplyError(res *http.Response) bool {
	body, _ := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return slices.ContainsFunc([]string{
		"failed to create typed patch object", "failed to convert new object", "failed to prune fields", "invalid group/version",
		"duplicate nodePort",
	}, func(text string) bool { return bytes.Contains(body, []byte(text)) })
}

func retryAfter(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// streams reports whether the response is a stream.
func streams(req *http.Request) bool {
	q := req.URL.Query()
	return q.Get("watch") == "true" || q.Get("watch") == "1" || q.Get("follow") == "true" || strings.Contains(req.URL.Path, "/watch/") ||
		req.Header.Get("Upgrade") != ""
}

func status(res *http.Response) int {
	if res == nil {
		return 0
	}
	return res.StatusCode
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
