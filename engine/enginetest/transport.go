package enginetest

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// transport calls a handler in place of a server, in this process.
type transport struct{ handler http.Handler }

// RoundTrip returns once the handler has written its header; the body follows as it is
// written.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	body, err := io.ReadAll(req.Body)
	if closeErr := req.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	r, w := io.Pipe()
	out := &responder{header: http.Header{}, body: w, began: make(chan struct{})}
	go func() {
		t.handler.ServeHTTP(out, in)
		out.WriteHeader(http.StatusOK)
		w.Close()
	}()
	select {
	case <-out.began:
	case <-req.Context().Done():
		r.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.sent, Body: r, ContentLength: -1, Request: req,
	}, nil
}

// responder is the http.ResponseWriter of one request.
type responder struct {
	header, sent http.Header
	body         *io.PipeWriter
	status       int
	once         sync.Once
	began        chan struct{}
}

func (r *responder) Header() http.Header { return r.header }

func (r *responder) WriteHeader(status int) {
	r.once.Do(func() {
		r.status, r.sent = status, r.header.Clone()
		close(r.began)
	})
}

func (r *responder) Write(data []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(data)
}

// Flush has nothing to do: what is written is read at once.
func (r *responder) Flush() {}
