package resend

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A request that was not authorized is sent again once, with its body.
func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		responses responses
		code      int
		tries     int
	}{
		"authorized":       {responses{echo}, 200, 1},
		"renewed":          {responses{respond(401, ""), echo}, 200, 2},
		"never authorized": {responses{respond(401, "")}, 401, 2},
		"forbidden":        {responses{respond(403, "")}, 403, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			transport := Renew(roundTrip(func(req *http.Request) (*http.Response, error) {
				tries++
				return c.responses.RoundTrip(req)
			}), "")
			req, err := http.NewRequest(http.MethodPatch, "http://server/", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(req)
			if err != nil || res.StatusCode != c.code || tries != c.tries {
				t.Fatalf("%+v, %v after %d tries", res, err, tries)
			}
			if text, err := io.ReadAll(res.Body); err != nil || c.code == 200 && string(text) != "body" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// The token file is read again after a 401.
func TestRenewFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, name := range []string{file, file + "-missing"} {
		transport := Renew(roundTrip(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, req.Header.Get("Authorization"))
			return respond(401, "")(req)
		}), name)
		req, err := http.NewRequest(http.MethodGet, "http://server/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := transport.RoundTrip(req); err != nil || res.StatusCode != 401 {
			t.Errorf("%+v, %v", res, err)
		}
	}
	if !slices.Equal(sent, []string{"", "Bearer new", ""}) {
		t.Errorf("sent %q", sent)
	}
}
