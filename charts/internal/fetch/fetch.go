// Package fetch gets packaged charts from where they are published: an OCI registry, a repository with an index, a plain
// https address. It returns bytes, verified as far as something to verify them by is known, and knows nothing of what is
// in them.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
)

// Options say how to get a chart. The zero value is anonymous, over https, at most 20 MiB, without a cache.
type Options struct {
	Version   string // exact, or a range as ^1.2; empty: the newest that is no prerelease
	PlainHTTP bool   // allows http where https is the rule
	MaxBytes  int64  // of the archive, and of an index; 0: 20 MiB
	// MemoryBytes bounds what decoding the entries of a chart in an index takes. 0: 128 MiB.
	MemoryBytes int64
	Transport   http.RoundTripper
	Cache       *Cache // nil: everything is downloaded each time
	// TokenHosts may get the login of a registry besides hosts of the registry's own domain.
	TokenHosts []string
	Signed     bool // asks for the provenance too

	// Login returns how to log in at an address, whose scheme is oci for a registry. What it returns is sent to the host of
	// that address alone. Nil: anonymous.
	Login func(ctx context.Context, address *url.URL) (Login, error)
}

// Login are the credentials for a host. The zero value is anonymous.
type Login struct {
	Username, Password string
	// RefreshToken and AccessToken are what registries give in place of a password.
	RefreshToken, AccessToken string
	// TLS is the host's own; nil: the system's. It counts only without a Transport.
	TLS *tls.Config
}

// Archive is a packaged chart.
type Archive struct {
	Data []byte
	// Name is what the chart was asked for as, NAME-VERSION.tgz, which a provenance must name too. Empty when it was asked
	// for by digest alone.
	Name       string
	Provenance []byte // nil: there is none, or none was asked for
	// Chart and Version are what was asked for, which the chart itself must say of itself too; empty: anything.
	Chart, Version string
}

func (o Options) limit() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return 20 << 20
}

func (o Options) login(ctx context.Context, address *url.URL) (Login, error) {
	if o.Login == nil {
		return Login{}, nil
	}
	return o.Login(ctx, address)
}

// URL gets the archive at an address. The login for its host goes with it.
func URL(ctx context.Context, address string, opts Options) (*Archive, error) {
	u, err := parse(address)
	if err != nil {
		return nil, err
	}
	s, err := newSite(ctx, u, opts)
	if err != nil {
		return nil, err
	}
	data, err := s.getCached(ctx, u, opts.limit())
	if err != nil {
		return nil, err
	}
	archive := &Archive{Data: data, Name: path.Base(u.Path)}
	archive.Provenance, err = s.provenance(ctx, u)
	return archive, err
}

// parse leaves the address out of its errors: it may hold a password.
func parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	var failure *url.Error
	if errors.As(err, &failure) {
		return nil, fmt.Errorf("invalid URL: %s", RedactText(failure.Err.Error()))
	}
	return u, err
}
