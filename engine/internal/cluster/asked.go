package cluster

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Asked is what a request for resources needs the permission for.
type Asked struct{ Verb, Group, Resource, Namespace, Name string }

type askedKey struct{}

// Requests collects what the requests of a context need permissions for, apart
// from discovery and reviews of permissions, which everybody may ask for. It is
// safe for concurrent use.
type Requests struct {
	mu    sync.Mutex
	asked map[Asked]bool
}

// WithRequests returns a context whose requests add to the returned Requests.
func WithRequests(ctx context.Context) (context.Context, *Requests) {
	r := &Requests{asked: map[Asked]bool{}}
	return context.WithValue(ctx, askedKey{}, r), r
}

// Asked returns what was asked for, each once, in order.
func (r *Requests) Asked() []Asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Asked, 0, len(r.asked))
	for a := range r.asked {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Asked) int { return strings.Compare(a.key(), b.key()) })
	return out
}

func (a Asked) key() string {
	return strings.Join([]string{a.Namespace, a.Group, a.Resource, a.Verb, a.Name}, "\x00")
}

// noteRequests adds each request to the collector in its context.
type noteRequests struct{ next http.RoundTripper }

func (n noteRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	if r, ok := req.Context().Value(askedKey{}).(*Requests); ok {
		if a, ok := askedBy(req); ok {
			r.mu.Lock()
			r.asked[a] = true
			r.mu.Unlock()
		}
	}
	return n.next.RoundTrip(req)
}

// askedBy reads a request as the API server does; not ok: it is not for a
// resource that permissions are granted for one by one.
func askedBy(req *http.Request) (a Asked, ok bool) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		a.Group, parts = parts[1], parts[3:]
	default:
		return a, false
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		a.Namespace = parts[1]
		if len(parts) > 2 {
			parts = parts[2:]
		}
	}
	if a.Resource = parts[0]; strings.HasPrefix(a.Resource, "selfsubject") {
		return a, false
	}
	if len(parts) > 1 {
		a.Name = parts[1]
	}
	if len(parts) > 2 {
		a.Resource += "/" + parts[2]
	}
	if name, ok := strings.CutPrefix(req.URL.Query().Get("fieldSelector"), "metadata.name="); ok && a.Name == "" {
		a.Name = name
	}
	switch req.Method {
	case http.MethodPost:
		a.Verb = "create"
	case http.MethodPut:
		a.Verb = "update"
	case http.MethodPatch:
		a.Verb = "patch"
	case http.MethodDelete:
		a.Verb = "delete"
	default:
		switch a.Verb = "get"; {
		case len(parts) > 1:
		case req.URL.Query().Get("watch") != "":
			a.Verb = "watch"
		default:
			a.Verb = "list"
		}
	}
	return a, true
}
