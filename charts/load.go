package charts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
	"github.com/fairlead-dev/fairlead/charts/internal/provenance"
	"github.com/fairlead-dev/fairlead/render"
)

// LoadOptions say where a chart comes from and how to get there. The zero value is anonymous, over https, and asks the
// network each time.
type LoadOptions struct {
	// Repository is the address of a chart repository, under which its index.yaml lies, or @NAME for one that User knows.
	// The reference is then the name of a chart in it. Empty: the reference says it all.
	Repository string
	// Version is exact, or a range as "^1.2". It decides among the versions of a repository, and among the tags of an
	// oci:// reference that has none. Empty: the newest that is no prerelease.
	Version string
	// Username and Password for the registry or the repository of the reference. They are sent to no other host, those of
	// dependencies included. Empty: what User knows, else anonymous.
	Username, Password string
	// User is where logins and names of repositories are kept. Zero: nothing is looked up. DefaultUserConfig returns the
	// usual files of Helm and Docker.
	User UserConfig
	// Keyring holds OpenPGP public keys, armored or binary, as gpg --export writes them. With it, a chart and whatever it
	// depends on must have a provenance that one of them signed. Empty: nothing is verified beyond digests.
	Keyring []byte
	// Cache is a folder in which downloads are kept by their content, and which may be shared and deleted. What is found in
	// it by digest is not downloaded; an index or an address is asked only whether it has changed. Empty: no cache.
	Cache string
	// Dependencies asks for the dependencies of Chart.yaml that are not in the chart's folder charts/, at the versions of
	// Chart.lock if there is one. False: a chart is what it brings.
	Dependencies bool
	// DependencySchemes are the schemes by which dependencies may be loaded. Nil: "oci", "https" and "file".
	DependencySchemes []string
	// DependencyRoots are local directories in which file:// dependencies may lie, besides the directory of the chart that
	// is loaded. No link in them leads out of them. Empty: none.
	DependencyRoots []string
	// LinkRoot is a directory, such as the root of a checkout, into which links in a chart's directory may lead; the chart
	// must lie in it. A link that leads out of it is an error. Empty: every link is.
	LinkRoot string
	// UnsafePlainHTTP allows http where https is the rule.
	UnsafePlainHTTP bool
	// Limits bound what loading the chart may cost: the size of the download, which is ArchiveBytes, of files, of what is
	// unpacked, and their number. Zero: the defaults of render.Limits.
	Limits render.Limits
	// Share is the tenant's share of a render.Budget, of which unpacking and reading a chart takes Limits.MemoryBytes. It is
	// not kept while something is downloaded. Nil: nothing waits.
	Share *render.Share
	// TokenHosts are hosts to which a registry may have its login sent, as "host" or "host:port". Hosts of the registry's
	// own domain are always allowed. Empty: no others.
	TokenHosts []string
	// Timeout bounds the whole call, besides its context. Zero: 5 minutes. Negative: none.
	Timeout time.Duration
	// Transport carries the requests. Nil: http.DefaultTransport. PublicTransport returns one that refuses private
	// addresses.
	Transport http.RoundTripper
}

const defaultTimeout = 5 * time.Minute

// timeout bounds a call.
func (o LoadOptions) timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	after := o.Timeout
	switch {
	case after < 0:
		return context.WithCancel(ctx)
	case after == 0:
		after = defaultTimeout
	}
	return context.WithTimeoutCause(ctx, after, fmt.Errorf("LoadOptions.Timeout of %s has passed: %w", after, context.DeadlineExceeded))
}

// Load gets a chart. The reference is one of
//
//	./shop                          a directory with a Chart.yaml
//	./shop-1.0.0.tgz                a packaged chart
//	oci://registry/team/shop:1.0.0  a registry; the tag may be left out, or be a digest behind an @
//	https://host/shop-1.0.0.tgz     a packaged chart
//	shop                            a name, with LoadOptions.Repository
//
// What is downloaded is bounded by LoadOptions.Limits, 20 MiB if zero, and verified where its digest is known: always in a registry, in a repository if
// its index has one. ctx bounds the downloads. Nothing is written but the cache. Errors are a *LoadError.
func Load(ctx context.Context, ref string, opts LoadOptions) (*render.Chart, error) {
	ctx, cancel := opts.timeout(ctx)
	defer cancel()
	l := loading{opts: opts}
	from := source{ref: ref, repository: opts.Repository, version: opts.Version}
	chart, err := l.load(ctx, from)
	if err != nil {
		// What was cut off in the middle complains in words of its own.
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, loadError(ref, err, opts.Limits.WithDefaults())
	}
	return chart, nil
}

// loading is the loading of one chart and what it depends on.
type loading struct {
	opts    LoadOptions
	keyring *provenance.Keyring
	home    *url.URL // the host that Username and Password are for; nil: none
	dir     string   // of the chart that is loaded, if it lies in one
}

// source is where a chart is to be found.
type source struct {
	ref, repository, version string
	root                     string // the directory that a local reference must not leave; "": the caller named it
	depth                    int    // of dependencies, 0 for the chart itself
}

func (l *loading) loader() render.Loader {
	return render.Loader{Limits: l.opts.Limits, Share: l.opts.Share}
}

func (l *loading) load(ctx context.Context, from source) (*render.Chart, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(l.opts.Keyring) > 0 && l.keyring == nil {
		keyring, err := provenance.ReadKeyring(l.opts.Keyring)
		if err != nil {
			return nil, err
		}
		l.keyring = keyring
	}
	chart, dir, err := l.get(ctx, from)
	if err != nil || !l.opts.Dependencies {
		return chart, err
	}
	return l.complete(ctx, chart, dir, from.depth)
}

// get returns a chart as it is, and the directory that it lies in, "" if it lies in none.
func (l *loading) get(ctx context.Context, from source) (*render.Chart, string, error) {
	repository, err := l.opts.User.address(from.repository)
	if err != nil {
		return nil, "", err
	}
	var archive *fetch.Archive
	scheme, _, _ := strings.Cut(from.ref, "://")
	switch {
	case repository != "":
		archive, err = fetch.Repository(ctx, repository, from.ref, l.fetching(from, repository))
	case scheme == "oci":
		archive, err = fetch.OCI(ctx, from.ref, l.fetching(from, from.ref))
	case scheme == "https" || scheme == "http":
		archive, err = fetch.URL(ctx, from.ref, l.fetching(from, from.ref))
	case scheme != from.ref:
		return nil, "", fmt.Errorf("scheme %s: %w", scheme, ErrUnknownRef)
	default:
		if from.depth == 0 {
			l.dir = from.ref
		}
		return l.getPath(ctx, from)
	}
	if err != nil {
		return nil, "", err
	}
	chart, err := l.open(ctx, archive)
	return chart, "", err
}

func (l *loading) open(ctx context.Context, archive *fetch.Archive) (*render.Chart, error) {
	if l.keyring != nil {
		if archive.Provenance == nil {
			return nil, fmt.Errorf("%w: there is no provenance beside it", ErrProvenance)
		}
		if err := l.keyring.Verify(archive.Data, archive.Name, archive.Provenance); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProvenance, err)
		}
	}
	chart, err := l.loader().Archive(ctx, bytes.NewReader(archive.Data))
	if err != nil {
		return nil, err
	}
	info := chart.Info()
	if archive.Chart != "" && info.Name != archive.Chart || archive.Version != "" && !sameVersion(info.Version, archive.Version) {
		return nil, fmt.Errorf("%w: what is there is %s %s", ErrNoVersion, info.Name, info.Version)
	}
	return chart, nil
}

func (l *loading) fetching(from source, address string) fetch.Options {
	options := fetch.Options{
		Version: from.version, MaxBytes: l.opts.Limits.WithDefaults().ArchiveBytes, MemoryBytes: l.opts.Limits.WithDefaults().MemoryBytes,
		PlainHTTP: l.opts.UnsafePlainHTTP, Transport: l.opts.Transport, Signed: l.keyring != nil, Login: l.login,
		TokenHosts: l.opts.TokenHosts,
	}
	if l.opts.Cache != "" {
		options.Cache = &fetch.Cache{Dir: l.opts.Cache}
	}
	if from.depth == 0 {
		l.home, _ = url.Parse(address)
	}
	return options
}

// login returns the login for a URL.
func (l *loading) login(ctx context.Context, address *url.URL) (fetch.Login, error) {
	switch {
	case l.opts.Username != "" && l.home != nil && l.home.Scheme == address.Scheme && l.home.Host == address.Host:
		return fetch.Login{Username: l.opts.Username, Password: l.opts.Password}, nil
	case address.User != nil:
		password, _ := address.User.Password()
		return fetch.Login{Username: address.User.Username(), Password: password}, nil
	}
	return l.opts.User.login(ctx, address)
}
