package cluster

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// revalidate serves requests for discovery and for OpenAPI documents from the cache,
// after the API server has confirmed that what is kept is what it would send: each
// request is sent, with the ETag of the kept response, and the response is 304 and no
// body if nothing has changed. So nothing is stale, and a caller without permission to read a document
// gets none.
type revalidate struct {
	next   http.RoundTripper
	cache  *cache
	server string
}

func (r revalidate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !revalidated(req) {
		return r.next.RoundTrip(req)
	}
	key := cacheKey(r.server, req.URL.Path, req.Header.Get("Accept"))
	kept := r.cache.get(key)
	if kept != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", kept.ETag)
	}
	resp, err := r.next.RoundTrip(req)
	switch {
	case err != nil:
		return resp, err
	case resp.StatusCode == http.StatusNotModified && kept != nil:
		resp.Body.Close()
		return kept.response(resp), nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("Etag") != "" && resp.Header.Get("Content-Encoding") == "":
		return r.keep(key, resp)
	}
	return resp, nil
}

// revalidated reports whether a request is for discovery as a whole or for an OpenAPI
// document of version 3, and of no other condition.
func revalidated(req *http.Request) bool {
	path := req.URL.Path
	return req.Method == http.MethodGet && req.URL.RawQuery == "" && req.Header.Get("If-None-Match") == "" && req.Header.Get("Range") == "" &&
		(strings.HasSuffix(path, "/api") || strings.HasSuffix(path, "/apis") || strings.HasSuffix(path, openAPIRoot) || strings.Contains(path, openAPIRoot+"/"))
}

// keep reads a response and keeps it. One that is too long is passed on.
func (r revalidate) keep(key string, resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxCached+1))
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	if len(body) > maxCached {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
		return resp, nil
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.cache.put(key, cached{ETag: resp.Header.Get("Etag"), ContentType: resp.Header.Get("Content-Type"), body: body})
	return resp, nil
}

// response returns the kept response in place of one that says that it holds.
func (c *cached) response(confirmed *http.Response) *http.Response {
	out := *confirmed
	out.Status, out.StatusCode = "200 OK", http.StatusOK
	out.Header = confirmed.Header.Clone()
	out.Header.Set("Content-Type", c.ContentType)
	out.Header.Set("Etag", c.ETag)
	out.Header.Del("Content-Length")
	out.ContentLength = int64(len(c.body))
	out.Body = io.NopCloser(bytes.NewReader(c.body))
	return &out
}
