package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Conditions for errors.Is.
var (
	ErrTooBig       = errors.New("too big")
	ErrNoChart      = errors.New("no such chart")
	ErrNoVersion    = errors.New("no such version")
	ErrDigest       = errors.New("the digest differs")
	ErrUnauthorized = errors.New("access refused")
	ErrNotFound     = errors.New("not found")
	ErrPlainHTTP    = errors.New("plain http was not allowed")
	ErrTokenHost    = errors.New("another host")
)

// StatusError is a response without success.
type StatusError struct {
	URL    string // without password
	Code   int
	Status string // as 404 Not Found
}

func (e *StatusError) Error() string { return fmt.Sprintf("GET %s: %s", e.URL, e.Status) }

// Is reports what the status means.
func (e *StatusError) Is(target error) bool {
	switch e.Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return target == ErrUnauthorized
	case http.StatusNotFound, http.StatusGone:
		return target == ErrNotFound
	}
	return false
}

// registryError gives an error of the registry's client the conditions of this package.
func registryError(err error) error {
	var response *errcode.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return &condition{ErrUnauthorized, err}
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return &condition{ErrDigest, err}
	case errors.Is(err, errdef.ErrSizeExceedsLimit):
		return &condition{ErrTooBig, err}
	case errors.As(err, &response) && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden):
		return &condition{ErrUnauthorized, err}
	case errors.Is(err, errdef.ErrNotFound), errors.As(err, &response) && response.StatusCode == http.StatusNotFound:
		return &condition{ErrNotFound, err}
	}
	return err
}

// condition is an error that says all by itself, and matches a condition besides.
type condition struct{ is, err error }

func (c *condition) Error() string   { return c.err.Error() }
func (c *condition) Unwrap() []error { return []error{c.is, c.err} }

// DigestOf returns "sha256:" and the sum in hex.
func DigestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// normalDigest gives a digest as an index has it its algorithm, without which Helm writes it.
func normalDigest(digest string) string {
	return "sha256:" + strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
}

func verify(data []byte, digest, promisedBy string) error {
	if got := DigestOf(data); got != normalDigest(digest) {
		return fmt.Errorf("%w: it is %s, %s promised %s", ErrDigest, got, promisedBy, normalDigest(digest))
	}
	return nil
}
