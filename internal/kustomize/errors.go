package kustomize

import (
	"errors"
	"fmt"
	"regexp"
)

// ErrNoFile says that a folder has no kustomization.
var ErrNoFile = errors.New("no kustomization.yaml, kustomization.yml or Kustomization there")

// RemoteError says that a kustomization refers to a URL or a repository that
// no loader loads, or that could not be loaded.
type RemoteError struct {
	File string // that refers to it
	Ref  string // what it refers to, without user and password
	Err  error  // why loading failed; nil where nothing was tried
}

func (e *RemoteError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s refers to %s, which cannot be loaded: %v", e.File, e.Ref, e.Err)
	}
	return fmt.Sprintf("%s refers to %s, which is not in the file system given", e.File, e.Ref)
}

func (e *RemoteError) Unwrap() error { return e.Err }

// Error says which file is refused, and what to do.
type Error struct {
	File, Hint string
	Err        error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// LimitError says which limit a kustomization passes, by the names of
// render.Limits.
type LimitError struct {
	Limit   string
	Max     int64
	Subject string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("limit %s of %d passed by %s", e.Limit, e.Max, e.Subject)
}

func refusal(file, hint, format string, args ...any) error {
	return &Error{File: file, Hint: hint, Err: fmt.Errorf(format, args...)}
}

var credentials = regexp.MustCompile(`(?i)(https?://)[^/@]*@`)

// withoutCredentials takes the user and password out of a reference.
func withoutCredentials(ref string) string { return credentials.ReplaceAllString(ref, "${1}…@") }
