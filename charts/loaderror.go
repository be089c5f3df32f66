package charts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
	"github.com/fairlead-dev/fairlead/render"
)

// Conditions that callers may distinguish by errors.Is. Each arrives in a *LoadError.
var (
	// ErrUnknownRef is returned when a reference has none of the forms that Load understands.
	ErrUnknownRef = errors.New("not a reference to a chart")
	// ErrNoChart is returned when a repository has no chart of that name, or a registry has something that is no chart.
	ErrNoChart = fetch.ErrNoChart
	// ErrNoVersion is returned when a repository or registry has no version like the one wanted.
	ErrNoVersion = fetch.ErrNoVersion
	// ErrNotFound is returned when a server has nothing at an address.
	ErrNotFound = fetch.ErrNotFound
	// ErrUnauthorized is returned when a server refuses access: without a login, or with one that is wrong or has expired.
	ErrUnauthorized = fetch.ErrUnauthorized
	// ErrDigest is returned when a download does not match its digest.
	ErrDigest = fetch.ErrDigest
	// ErrTooBig is returned when a server sends, or announces, more than the limit.
	ErrTooBig = fetch.ErrTooBig
	// ErrPlainHTTP is returned for http where https is required: in a reference, an index or a redirect.
	ErrPlainHTTP = fetch.ErrPlainHTTP
	// ErrTokenHost is returned when a registry asks for its login to be sent to a host of another domain.
	ErrTokenHost = fetch.ErrTokenHost
	// ErrProvenance is returned when a keyring is given and none of its keys signed the chart.
	ErrProvenance = errors.New("not signed by anyone in the keyring")
	// ErrLock is returned when Chart.lock does not match the dependencies of Chart.yaml.
	ErrLock = errors.New("the file Chart.lock is out of step with Chart.yaml")
)

// LoadError reports which reference could not be loaded, and why. Err may wrap a *render.Error, about the chart itself,
// or a *DependencyError.
type LoadError struct {
	Ref  string // without password
	Hint string // what to do next; may be empty
	Err  error
}

// Error returns all of it on one line.
func (e *LoadError) Error() string {
	if e.Hint == "" {
		return clean.Line(fmt.Sprintf("load chart %s: %v", e.Ref, e.Err))
	}
	return clean.Line(fmt.Sprintf("load chart %s: %v; %s", e.Ref, e.Err, e.Hint))
}

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// DependencyError reports which dependency of a chart could not be resolved.
type DependencyError struct {
	Chart      string // whose Chart.yaml names it
	Name       string
	Version    string // as it was asked for: exact, or a range
	Repository string // without password
	Err        error
}

// Error returns all of it on one line.
func (e *DependencyError) Error() string {
	from := ""
	if e.Repository != "" {
		from = " from " + e.Repository
	}
	return clean.Line(fmt.Sprintf("dependency %s %s of %s%s: %v", e.Name, e.Version, e.Chart, from, e.Err))
}

// Unwrap returns the cause.
func (e *DependencyError) Unwrap() error { return e.Err }

const refForms = "write a directory, a .tgz file, oci://host/path[:tag], https://host/chart.tgz, or a name together with LoadOptions.Repository"

func loadError(ref string, err error, limits render.Limits) *LoadError {
	e := &LoadError{Ref: redacted(ref), Err: redactError(err)}
	var limit *yamlread.LimitError
	switch {
	case errors.As(err, &limit):
		e.Err = &render.LimitError{Limit: limit.Limit, Max: limit.Max, Err: err}
	case errors.Is(err, ErrTooBig) && !errors.As(err, new(*render.LimitError)):
		e.Err = &render.LimitError{Limit: "ArchiveBytes", Max: limits.ArchiveBytes, Err: e.Err}
		e.Hint = "if you trust the server, raise ArchiveBytes in LoadOptions.Limits"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, ErrUnknownRef), errors.Is(err, fs.ErrNotExist) && !strings.Contains(ref, "://"):
		e.Hint = refForms
	case errors.Is(err, ErrNoVersion):
		e.Hint = "a prerelease must be named exactly"
	case errors.Is(err, ErrUnauthorized):
		e.Hint = "give LoadOptions.Username and Password, or LoadOptions.User after helm repo add, helm registry login or docker login; a token may have expired"
	case errors.Is(err, ErrDigest):
		e.Hint = "do not use it before you know who changed it"
	case errors.Is(err, ErrPlainHTTP):
		e.Hint = "use https, or set LoadOptions.UnsafePlainHTTP for a server on your own machine"
	case errors.Is(err, ErrTokenHost):
		e.Hint = "name that host in LoadOptions.TokenHosts if it is the registry's own token server"
	case errors.Is(err, ErrProvenance):
		e.Hint = "sign it with helm package --sign and publish the .prov beside it, or give the signer's key in LoadOptions.Keyring"
	case errors.Is(err, ErrLock):
		e.Hint = "run helm dependency update and commit Chart.lock"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Hint = "the download was cut off; try again"
	}
	return e
}

// redacted writes a reference or repository without passwords and queries.
func redacted(ref string) string { return fetch.RedactText(ref) }

// redactedError is an error whose text had a password or a query in it.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

func redactError(err error) error {
	if text := err.Error(); redacted(text) != text {
		return &redactedError{redacted(text), err}
	}
	return err
}
