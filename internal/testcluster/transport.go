package testcluster

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// Request is one request that a Recorder has seen.
type Request struct {
	Method string // GET, POST, PUT, PATCH, DELETE
	Path   string // as in /api/v1/namespaces/shop/pods
	Query  url.Values
	Status int // of the answer; 0 where there was none
}

// DryRun says whether the request could not change anything by its own wish.
func (r Request) DryRun() bool { return r.Query.Has("dryRun") }

// Watch says whether the request is a watch.
func (r Request) Watch() bool { return r.Query.Get("watch") != "" && r.Query.Get("watch") != "false" }

// Write says whether the request asks for a change that lasts. Reviews of
// rights are posted, too, and change nothing.
func (r Request) Write() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !r.DryRun() &&
		!strings.HasPrefix(r.Path, "/apis/authorization.k8s.io/") && !strings.HasPrefix(r.Path, "/apis/authentication.k8s.io/")
}

func (r Request) String() string {
	if len(r.Query) == 0 {
		return r.Method + " " + r.Path
	}
	return r.Method + " " + r.Path + "?" + r.Query.Encode()
}

// Recorder keeps the requests of a configuration in the order of their answers.
// It may be used concurrently.
type Recorder struct {
	mu       sync.Mutex
	requests []Request
}

// Record returns a copy of config whose requests are recorded.
func Record(config *rest.Config) (*rest.Config, *Recorder) {
	recorder := new(Recorder)
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			seen := Request{Method: req.Method, Path: req.URL.Path, Query: req.URL.Query()}
			if res != nil {
				seen.Status = res.StatusCode
			}
			recorder.mu.Lock()
			defer recorder.mu.Unlock()
			recorder.requests = append(recorder.requests, seen)
			return res, err
		})
	})
	return config, recorder
}

// Requests returns what was recorded since the beginning or the last Reset.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// Count counts the requests that match accepts, all of them if it is nil.
func (r *Recorder) Count(match func(Request) bool) int {
	n := 0
	for _, req := range r.Requests() {
		if match == nil || match(req) {
			n++
		}
	}
	return n
}

// Paths counts the requests by method and path, as in "GET /api/v1/pods".
func (r *Recorder) Paths() map[string]int {
	counts := map[string]int{}
	for _, req := range r.Requests() {
		counts[req.Method+" "+req.Path]++
	}
	return counts
}

// Reset forgets what was recorded.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

// Fault stands between a client and the API server. It answers a request itself
// by returning a response or an error; with neither, the request goes on. It is
// called concurrently.
type Fault func(*http.Request) (*http.Response, error)

// Inject returns a copy of config whose requests pass fault first.
func Inject(config *rest.Config, fault Fault) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			res, err := fault(req)
			if res == nil && err == nil {
				return next.RoundTrip(req)
			}
			if req.Body != nil {
				req.Body.Close() // a RoundTripper must
			}
			return res, err
		})
	})
	return config
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
