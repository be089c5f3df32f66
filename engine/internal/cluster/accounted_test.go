package cluster

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// succeeding is a transport whose requests all succeed.
type succeeding struct{}

func (succeeding) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

// Which requests count as reading something unknown, and which as writing.
func TestAccountedRequests(t *testing.T) {
	for request, want := range map[string]string{
		"GET /api":                      "",
		"GET /api/v1":                   "",
		"GET /apis":                     "",
		"GET /apis/a.b/v1":              "",
		"GET /version":                  "",
		"GET /openapi/v3/apis/apps/v1":  "",
		"GET /api/v1/nodes":             "read",
		"GET /apis/apps/v1/deployments": "read",
		"PATCH /api/v1/namespaces/a/configmaps/b?dryRun=All":         "read",
		"POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews": "read",
		"PUT /apis/coordination.k8s.io/v1/namespaces/a/leases/b":     "read",
		"PATCH /api/v1/namespaces/a/configmaps/b":                    "read, write",
		"DELETE /apis/apps/v1/namespaces/a/deployments/b":            "read, write",
		"POST /api/v1/namespaces/a/secrets":                          "read, write",
	} {
		k := &kinds{}
		transport := accountRequests{succeeding{}, k}
		send := func(ctx context.Context) {
			method, path, _ := strings.Cut(request, " ")
			if _, err := transport.RoundTrip(httptest.NewRequestWithContext(ctx, method, path, nil)); err != nil {
				t.Fatal(err)
			}
		}
		var own atomic.Uint64
		ctx, unaccounted := WithUnaccounted(WithWrites(t.Context(), &own))
		send(Accounted(ctx))
		if n := unaccounted.Count(); n != 0 {
			t.Errorf("%s: %d are counted although they are accounted for", request, n)
		}
		own.Store(0)
		send(ctx)
		send(t.Context())
		var counted []string
		if unaccounted.Count() == 1 {
			counted = append(counted, "read")
		}
		if own.Load() == 2 && k.otherWrites.Load() == 2 {
			counted = append(counted, "write")
		}
		if got := strings.Join(counted, ", "); got != want {
			t.Errorf("%s counts as %q, want %q", request, got, want)
		}
	}
}
