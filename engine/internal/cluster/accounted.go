package cluster

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
)

// Unaccounted counts the requests of a context whose results its owner does not
// know of. Requests for discovery and schemas are not among them: these are the
// Cluster's own.
type Unaccounted struct{ n atomic.Int64 }

// Count returns how many there were.
func (u *Unaccounted) Count() int64 { return u.n.Load() }

type (
	unaccountedKey struct{}
	writesKey      struct{}
)

// WithUnaccounted returns a context whose requests are counted, but for those of
// Accounted.
func WithUnaccounted(ctx context.Context) (context.Context, *Unaccounted) {
	u := &Unaccounted{}
	return context.WithValue(ctx, unaccountedKey{}, u), u
}

// Accounted returns a context whose requests are not counted, because the caller
// notes what they return.
func Accounted(ctx context.Context) context.Context {
	if ctx.Value(unaccountedKey{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, unaccountedKey{}, (*Unaccounted)(nil))
}

// WithWrites returns a context whose writes are counted in writes: before they are
// sent, and when they have ended. Those of other contexts are counted in
// Cluster.OtherWrites.
func WithWrites(ctx context.Context, writes *atomic.Uint64) context.Context {
	return context.WithValue(ctx, writesKey{}, writes)
}

// OtherWrites is how often writes of no counter of their own have begun or ended.
func (c *Cluster) OtherWrites() uint64 { return c.otherWrites.Load() }

// accountRequests counts requests in what their contexts have.
type accountRequests struct {
	next  http.RoundTripper
	kinds *kinds
}

func (a accountRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if u, _ := ctx.Value(unaccountedKey{}).(*Unaccounted); u != nil && !ofKinds(req.URL.Path) {
		u.n.Add(1)
	}
	if !writes(req) {
		return a.next.RoundTrip(req)
	}
	count, ok := ctx.Value(writesKey{}).(*atomic.Uint64)
	if !ok {
		count = &a.kinds.otherWrites
	}
	count.Add(1)
	defer count.Add(1)
	return a.next.RoundTrip(req)
}

// ofKinds reports whether a request is for discovery, schemas or the version.
func ofKinds(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "api":
		return len(parts) <= 2
	case "apis":
		return len(parts) <= 3
	case "openapi", "version":
		return true
	}
	return false
}

// writes reports whether a request can change an object that anything is computed
// from: a dry-run, a review of permissions and a Lease do not.
func writes(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		return false
	}
	path := req.URL.Path
	return !req.URL.Query().Has("dryRun") && !strings.Contains(path, "/apis/authorization.k8s.io/") && !strings.Contains(path, "/apis/coordination.k8s.io/")
}
