package resend

import (
	"net/http"
	"os"
	"strings"
)

// renew wraps a RoundTripper that adds credentials.
type renew struct {
	next http.RoundTripper
	file string
}

// Renew returns a transport that retries a request once when the API server
// returns 401 Unauthorized, which is safe because such a request was not
// executed. next adds credentials that can be renewed: client-go runs an exec
// credential plugin again after a 401, but only the next request benefits, and
// it reads a token file only once a minute. If file is given, the retry uses the
// token that it contains now.
func Renew(next http.RoundTripper, file string) http.RoundTripper { return renew{next, file} }

// RoundTrip implements http.RoundTripper.
func (t renew) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
		return res, err
	}
	again := req.Clone(req.Context())
	if t.file != "" {
		token, err := os.ReadFile(t.file)
		if err != nil {
			return res, nil // the 401 is the better error
		}
		again.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token))) // next does not overwrite it
	}
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return res, nil
		}
	}
	res.Body.Close()
	return t.next.RoundTrip(again)
}
