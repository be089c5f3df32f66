// Package fetch gets packaged charts from where they are published: an OCI registry, a repository with an index, a plain
// https address. It answers bytes and knows nothing of what is in them.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Options say how to get a chart. The zero value is anonymous, over https, at most 20 MiB.
type Options struct {
	Version            string // exact, or a range as ^1.2; empty: the newest that is no prerelease
	Username, Password string // for the registry or repository, never sent to another host
	PlainHTTP          bool   // http instead of https
	MaxBytes           int64  // of the archive, and of an index; 0: 20 MiB
	Transport          http.RoundTripper
}

// ErrTooBig is matched by the error of a chart or an index that is larger than MaxBytes.
var ErrTooBig = errors.New("too big")

// ErrNoVersion is matched by the error of a chart that has no version like the one wanted.
var ErrNoVersion = errors.New("no such version")

func (o Options) limit() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return 20 << 20
}

func (o Options) client() *http.Client {
	return &http.Client{
		Transport: o.Transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Scheme != "https" && !o.PlainHTTP {
				return fmt.Errorf("redirected to %s, which is not https", req.URL.Redacted())
			}
			if len(via) > 5 {
				return errors.New("more than 5 redirects")
			}
			return nil
		},
	}
}

// URL gets the archive at an address. Credentials go with it.
func URL(ctx context.Context, address string, opts Options) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return get(ctx, u, u.Host, opts)
}

// get sends the credentials only to home, the host that they are for.
func get(ctx context.Context, u *url.URL, home string, opts Options) ([]byte, error) {
	if u.Scheme != "https" && (u.Scheme != "http" || !opts.PlainHTTP) {
		return nil, fmt.Errorf("%s is not https, and plain http was not allowed", u.Redacted())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if opts.Username != "" && u.Host == home {
		req.SetBasicAuth(opts.Username, opts.Password)
	}
	resp, err := opts.client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", u.Redacted(), resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, opts.limit()+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", u.Redacted(), err)
	}
	if int64(len(data)) > opts.limit() {
		return nil, fmt.Errorf("GET %s: more than %d bytes: %w", u.Redacted(), opts.limit(), ErrTooBig)
	}
	return data, nil
}

// newest picks the index of the version that is wanted: the exact one, else the newest that the range takes.
func newest(versions []string, wanted string) (int, error) {
	for i, version := range versions {
		if wanted != "" && version == wanted {
			return i, nil
		}
	}
	expression := wanted
	if expression == "" {
		expression = "*"
	}
	constraint, err := semver.NewConstraint(expression)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", wanted, err)
	}
	best := -1
	var bestVersion *semver.Version
	for i, version := range versions {
		v, err := semver.NewVersion(version)
		if err != nil || !constraint.Check(v) {
			continue
		}
		if bestVersion == nil || v.GreaterThan(bestVersion) {
			best, bestVersion = i, v
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("version %q of %d: %w", wanted, len(versions), ErrNoVersion)
	}
	return best, nil
}

func verify(data []byte, digest string) error {
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != strings.TrimPrefix(digest, "sha256:") {
		return fmt.Errorf("the digest is sha256:%s, the index promised %s", got, digest)
	}
	return nil
}
