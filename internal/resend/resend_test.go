package resend

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

type responses []func(*http.Request) (*http.Response, error)

func (a *responses) RoundTrip(req *http.Request) (*http.Response, error) {
	next := (*a)[0]
	if len(*a) > 1 {
		*a = (*a)[1:]
	}
	return next(req)
}

func respond(code int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func failure(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestRoundTrip(t *testing.T) {
	silent := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	cut := func(req *http.Request) (*http.Response, error) {
		res, err := respond(200, "")(req)
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))
		return res, err
	}
	for name, c := range map[string]struct {
		responses responses
		method    string
		path      string
		body      io.Reader
		first     bool // the server has never responded before
		code      int  // 0: an error
		tries     int  // 0: as many as responses
		min       time.Duration
		max       time.Duration
	}{
		"at once":                 {responses: responses{respond(200, "ok")}, code: 200},
		"overload":                {responses: responses{respond(429, ""), respond(429, ""), respond(200, "ok")}, code: 200, min: 200 * time.Millisecond, max: time.Second},
		"overload with a delay":   {responses: responses{respond(429, "", "Retry-After", "7"), respond(200, "ok")}, code: 200, min: 7 * time.Second, max: 8 * time.Second},
		"overload for an hour":    {responses: responses{respond(429, "", "Retry-After", "3600")}, code: 429, max: time.Second},
		"failure":                 {responses: responses{respond(500, "oops"), respond(502, ""), respond(503, ""), respond(504, ""), respond(201, "ok")}, code: 201},
		"apply error":             {responses: responses{respond(500, "failed to create typed patch object (x): field not declared")}, code: 500, max: time.Millisecond},
		"apply error of a schema": {responses: responses{respond(500, "failed to prune fields: x")}, code: 500, max: time.Millisecond},
		"stored version":          {responses: responses{respond(500, "request to convert CR from an invalid group/version: a/v1")}, code: 500, max: time.Millisecond},
		"node ports":              {responses: responses{respond(500, "duplicate nodePort: {TCP 30000}")}, code: 500, max: time.Millisecond},
		"invalid":                 {responses: responses{respond(422, "")}, code: 422, max: time.Millisecond},
		"forbidden":               {responses: responses{respond(403, "")}, code: 403, max: time.Millisecond},
		"forever":                 {responses: responses{respond(503, "")}, code: 503, tries: -1, min: 20 * time.Second, max: 40 * time.Second},
		"reset":                   {responses: responses{failure(syscall.ECONNRESET), respond(200, "ok")}, code: 200},
		"cut":                     {responses: responses{cut, respond(200, "ok")}, code: 200},
		"timeout":                 {responses: responses{silent, respond(200, "ok")}, tries: 1, min: time.Minute, max: 2 * time.Minute},
		"never connected":         {responses: responses{failure(syscall.ECONNREFUSED)}, first: true, max: time.Millisecond},
		"an error of a wrapper":   {responses: responses{failure(errors.New("no token"))}, max: time.Millisecond},
		"with a body":             {responses: responses{respond(503, ""), echo}, method: "PATCH", body: strings.NewReader("body"), code: 200},
		"a body without a copy":   {responses: responses{respond(503, "")}, method: "PATCH", body: io.MultiReader(strings.NewReader("body")), code: 503, max: time.Millisecond},
		"a watch is not retried":  {responses: responses{respond(503, "")}, path: "/api/v1/pods?watch=true", code: 503, max: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				list := c.responses
				want := c.tries
				if want == 0 {
					want = len(list)
				}
				transport := New(roundTrip(func(req *http.Request) (*http.Response, error) {
					tries++
					return list.RoundTrip(req)
				}), slog.New(slog.DiscardHandler))
				transport.connected.Store(!c.first)
				ctx, again := Count(t.Context())
				req, err := http.NewRequestWithContext(ctx, c.method, "http://server"+c.path, c.body)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				res, err := transport.RoundTrip(req)
				took := time.Since(start)
				if (err != nil) != (c.code == 0) || res != nil && res.StatusCode != c.code {
					t.Errorf("response %+v, %v", res, err)
				}
				if want > 0 && tries != want || int(again.Load()) != tries-1 {
					t.Errorf("tried %d times, want %d; counted %d", tries, want, again.Load())
				}
				if took < c.min || c.max > 0 && took > c.max {
					t.Errorf("it took %v", took)
				}
				if res == nil {
					return
				}
				text, err := io.ReadAll(res.Body)
				if err != nil || c.code < 300 && !bytes.Contains([]byte("ok body"), text) || res.Header.Get("Retry-After") != "" {
					t.Errorf("body %q, %v, header %v", text, err, res.Header)
				}
			})
		})
	}
}

func TestRoundTripEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := New(roundTrip(respond(503, "")), slog.New(slog.DiscardHandler))
		transport.connected.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := transport.RoundTrip(req); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func echo(req *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	return respond(200, string(text))(req)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBigResponsesAreComplete(t *testing.T) {
	for _, size := range []int{0, 1, firstChunk - 1, firstChunk, firstChunk + 1, maxChunk - 1, maxChunk, 5*maxChunk + 3} {
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for name, length := range map[string]int64{"known": int64(size), "unknown": -1} {
			for _, slow := range []bool{false, true} {
				var body io.Reader = bytes.NewReader(want)
				if slow {
					body = iotest.HalfReader(iotest.DataErrReader(body))
				}
				p, err := take(body, length)
				if err != nil {
					t.Fatal(err)
				}
				if err := iotest.TestReader(p, want); err != nil {
					t.Errorf("%d bytes, length %s, slow %v: %v", size, name, slow, err)
				}
			}
		}
	}
}
