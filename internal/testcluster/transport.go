package testcluster

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// Request is one recorded request.
type Request struct {
	Method string // GET, POST, PUT, PATCH, DELETE
	Path   string // as in /api/v1/namespaces/shop/pods
	Query  url.Values
	Status int // of the response; 0 if there was none
}

// DryRun reports whether the request is a dry-run.
func (r Request) DryRun() bool { return r.Query.Has("dryRun") }

// Watch reports whether the request is a watch.
func (r Request) Watch() bool { return r.Query.Get("watch") != "" && r.Query.Get("watch") != "false" }

// Write reports whether the request changes persistent state. Access reviews are
// created with POST, too, but are not persisted.
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

// Recorder records the requests of a configuration in the order of their
// responses. It is safe for concurrent use.
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

// Requests returns the requests since the start or the last Reset.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// Count returns the number of requests that match accepts, of all if it is nil.
func (r *Recorder) Count(match func(Request) bool) int {
	n := 0
	for _, req := range r.Requests() {
		if match == nil || match(req) {
			n++
		}
	}
	return n
}

// Paths returns the number of requests by method and path: "GET /api/v1/pods".
func (r *Recorder) Paths() map[string]int {
	counts := map[string]int{}
	for _, req := range r.Requests() {
		counts[req.Method+" "+req.Path]++
	}
	return counts
}

// Reset drops the recorded requests.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

// Fault intercepts requests to the API server. The response or error that it
// returns is used in place of the server's; if both are nil, the request is sent.
// It is called concurrently.
type Fault func(*http.Request) (*http.Response, error)

// Inject returns a copy of config whose requests are intercepted by fault.
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
