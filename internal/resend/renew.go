package resend

import (
	"net/http"
	"os"
	"strings"
)

// renew is a RoundTripper over one that adds credentials.
type renew struct {
	next http.RoundTripper
	file string
}

// Renew puts a transport over next, which adds credentials that can be
// renewed. client-go runs a credential plug-in anew when an answer says that
// the credentials do not hold, but only the next request gets something of
// that; a token's file it reads once a minute. Here the same request is sent
// once more, with what file, if given, holds now: what was not let in was not
// carried out.
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
			return res, nil // the refusal says more
		}
		again.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token))) // which next leaves as it is
	}
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return res, nil
		}
	}
	res.Body.Close()
	return t.next.RoundTrip(again)
}
