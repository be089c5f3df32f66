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

// A request that was not let in is sent once more, with its body.
func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		answers answers
		code    int
		tries   int
	}{
		"let in":          {answers{echo}, 200, 1},
		"with a new one":  {answers{answer(401, ""), echo}, 200, 2},
		"never":           {answers{answer(401, "")}, 401, 2},
		"without a right": {answers{answer(403, "")}, 403, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			transport := Renew(roundTrip(func(req *http.Request) (*http.Response, error) {
				tries++
				return c.answers.RoundTrip(req)
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

// A token's file is read when a token was refused.
func TestRenewFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, name := range []string{file, file + "-gone"} {
		transport := Renew(roundTrip(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, req.Header.Get("Authorization"))
			return answer(401, "")(req)
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
