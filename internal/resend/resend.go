// Package resend sends a request to an API server again when it could not
// answer: overload, a restart, a connection that broke. It stands below the
// clients, as a RoundTripper, so that every request of an engine is covered by
// one rule, and its body is read here, so that a broken one is too.
//
// A request may have been carried out although its answer was lost. All that
// is sent through here must bear being sent twice: server-side apply, deletes
// by UID, updates by resourceVersion. What does not, a create, finds out by
// [Count] whether "already exists" may be its own doing.
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
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Limits of one request. The waits are about 0.1, 0.2, 0.4, 0.8, 1.6, then 3 s
// each, of which a quarter is left to chance.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 3 * time.Second
	// patience is how long after the first try a further one is made.
	patience = 30 * time.Second
	// longestWait bounds what a server may ask for by Retry-After.
	longestWait = 30 * time.Second
	// answerTime bounds one try. An API server gives up on a request itself
	// after a minute.
	answerTime = 65 * time.Second
)

// Transport is a RoundTripper that resends. It is safe for concurrent use.
type Transport struct {
	next     http.RoundTripper
	logger   *slog.Logger
	answered atomic.Bool // the server was there once
}

// New puts a Transport over next.
func New(next http.RoundTripper, logger *slog.Logger) *Transport {
	return &Transport{next: next, logger: logger}
}

type countKey struct{}

// Count counts, in the context it gives, how often requests were sent again.
func Count(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), n
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if streams(req) || req.Body != nil && req.GetBody == nil {
		return t.next.RoundTrip(req)
	}
	begun := time.Now()
	wait := firstWait
	for try := 1; ; try++ {
		res, err := t.once(req)
		if err == nil {
			t.answered.Store(true)
		}
		again, asked := t.worthAgain(req.Context(), res, err)
		if !again {
			return res, err
		}
		pause := max(asked, wait-wait/4+rand.N(wait/2))
		wait = min(2*wait, maxWait)
		if asked > longestWait || time.Since(begun)+pause > patience || !sleep(req.Context(), pause) {
			if res != nil {
				res.Header.Del("Retry-After") // or client-go begins anew
			}
			return res, err
		}
		if n, ok := req.Context().Value(countKey{}).(*atomic.Int64); ok {
			n.Add(1)
		}
		t.logger.Debug("sending again", "method", req.Method, "path", req.URL.Path, "try", try+1, "status", status(res), "error", err)
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

// once sends the request and reads the whole answer.
func (t *Transport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), answerTime, errSilent)
	defer cancel()
	res, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, silence(ctx, err)
	}
	body, err := take(res.Body, res.ContentLength)
	res.Body.Close()
	if err != nil {
		return nil, silence(ctx, &brokenAnswer{err})
	}
	res.Body = io.NopCloser(body)
	return res, nil
}

var errSilent = errors.New("the API server did not answer within " + answerTime.String())

func silence(ctx context.Context, err error) error {
	if context.Cause(ctx) == errSilent {
		return &brokenAnswer{errSilent}
	}
	return err
}

// brokenAnswer is an answer that did not come wholly.
type brokenAnswer struct{ err error }

func (e *brokenAnswer) Error() string   { return "read the answer: " + e.err.Error() }
func (e *brokenAnswer) Unwrap() error   { return e.err }
func (e *brokenAnswer) Timeout() bool   { return errors.Is(e.err, errSilent) }
func (e *brokenAnswer) Temporary() bool { return true }

// worthAgain says whether the same request may be answered a moment later, and
// how long the server asked to wait.
func (t *Transport) worthAgain(ctx context.Context, res *http.Response, err error) (bool, time.Duration) {
	if ctx.Err() != nil {
		return false, 0
	}
	if err != nil {
		// A server that was never there may be a wrong address.
		return t.answered.Load() && broke(err), 0
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, retryAfter(res)
	case http.StatusInternalServerError:
		return !judged(res), retryAfter(res)
	}
	return false, 0
}

// broke says whether it was the connection that failed, and not that the other
// side did not want to talk to us, or somebody above it.
func broke(err error) bool {
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
	// net/http and its HTTP/2 have errors without a type for these.
	text := err.Error()
	return strings.Contains(text, "http2:") || strings.Contains(text, "transport connection broken") || strings.Contains(text, "server closed idle connection")
}

// judged says whether an internal error is a verdict on the object: server-side
// apply answers so where it does not fit its schema.
func judged(res *http.Response) bool {
	body, _ := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte("failed to create typed patch object")) || bytes.Contains(body, []byte("failed to convert new object"))
}

func retryAfter(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// streams says whether the answer has no end of its own.
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
