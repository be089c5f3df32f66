package charts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
	"github.com/fairlead-dev/fairlead/render"
)

// LoadOptions say where a chart comes from and how to get there. The zero value is anonymous, over https.
type LoadOptions struct {
	// Repository is the address of a chart repository, under which its index.yaml lies. The reference is then the name
	// of a chart in it. Empty: the reference says it all.
	Repository string
	// Version is exact, or a range as "^1.2". It decides among the versions of a repository, and among the tags of an
	// oci:// reference that has none. Empty: the newest that is no prerelease.
	Version string
	// Username and Password for the registry or the repository. They are sent to no other host. Empty: anonymous.
	Username, Password string
	// UnsafePlainHTTP allows http where https is the rule.
	UnsafePlainHTTP bool
	// Transport carries the requests. Nil: http.DefaultTransport.
	Transport http.RoundTripper
}

// Conditions that callers may want to tell apart with errors.Is. Each arrives in a *LoadError.
var (
	// ErrUnknownRef says that a reference has none of the forms that Load understands.
	ErrUnknownRef = errors.New("not a reference to a chart")
	// ErrNoVersion says that a repository or registry has no version like the one wanted.
	ErrNoVersion = fetch.ErrNoVersion
)

// LoadError says which reference could not be loaded, and why. Err may hold a *render.Error, which says what is wrong
// with the chart itself.
type LoadError struct {
	Ref  string // without password
	Hint string // what to do next; may be empty
	Err  error
}

// Error puts all that is known on one line.
func (e *LoadError) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("load chart %s: %v", e.Ref, e.Err)
	}
	return fmt.Sprintf("load chart %s: %v; %s", e.Ref, e.Err, e.Hint)
}

// Unwrap answers the cause.
func (e *LoadError) Unwrap() error { return e.Err }

const refForms = "write a directory, a .tgz file, oci://host/path[:tag], https://host/chart.tgz, or a name together with LoadOptions.Repository"

// Load gets a chart. The reference is one of
//
//	./shop                          a directory with a Chart.yaml
//	./shop-1.0.0.tgz                a packaged chart
//	oci://registry/team/shop:1.0.0  a registry; the tag may be left out, or be a digest behind an @
//	https://host/shop-1.0.0.tgz     a packaged chart
//	shop                            a name, with LoadOptions.Repository
//
// What is downloaded is at most 20 MiB, and verified where its digest is known: always in a registry, in a repository if
// its index has one. ctx bounds the downloads. Errors are a *LoadError.
func Load(ctx context.Context, ref string, opts LoadOptions) (*render.Chart, error) {
	chart, err := load(ctx, ref, opts)
	if err == nil {
		return chart, nil
	}
	failure := &LoadError{Ref: redacted(ref), Err: err}
	switch {
	case errors.Is(err, ErrUnknownRef), errors.Is(err, fs.ErrNotExist) && !strings.Contains(ref, "://"):
		failure.Hint = refForms
	case errors.Is(err, ErrNoVersion):
		failure.Hint = "a prerelease must be named exactly"
	}
	return nil, failure
}

func load(ctx context.Context, ref string, opts LoadOptions) (*render.Chart, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	options := fetch.Options{
		Version: opts.Version, Username: opts.Username, Password: opts.Password,
		PlainHTTP: opts.UnsafePlainHTTP, Transport: opts.Transport,
	}
	var archive []byte
	var err error
	scheme, _, _ := strings.Cut(ref, "://")
	switch {
	case opts.Repository != "":
		archive, err = fetch.Repository(ctx, opts.Repository, ref, options)
	case scheme == "oci":
		archive, err = fetch.OCI(ctx, ref, options)
	case scheme == "https" || scheme == "http":
		archive, err = fetch.URL(ctx, ref, options)
	case scheme != ref:
		return nil, fmt.Errorf("scheme %s: %w", scheme, ErrUnknownRef)
	default:
		return loadPath(ref)
	}
	if err != nil {
		return nil, err
	}
	return render.LoadArchive(bytes.NewReader(archive))
}

func loadPath(path string) (*render.Chart, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return render.LoadFS(os.DirFS(path))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return render.LoadArchive(file)
}

func redacted(ref string) string {
	if u, err := url.Parse(ref); err == nil && u.User != nil {
		return u.Redacted()
	}
	return ref
}
