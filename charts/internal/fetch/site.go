package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"

	"golang.org/x/net/publicsuffix"
)

// site is one host, with the login that is for it alone. What it names may lie elsewhere.
type site struct {
	home  *url.URL
	login Login
	opts  Options
	cache *Cache // of this host and login
	http  *http.Client
}

func newSite(ctx context.Context, home *url.URL, opts Options) (*site, error) {
	login, err := opts.login(ctx, home)
	if err != nil {
		return nil, fmt.Errorf("log in at %s: %w", home.Host, err)
	}
	cache, err := opts.Cache.of(origin(home), login)
	if err != nil {
		return nil, err
	}
	return &site{home: home, login: login, opts: opts, cache: cache, http: newClient(opts, login, home, "")}, nil
}

// newClient returns a client that sends logins to the host of a registry alone, if there is one, and the certificate of
// a login to home.
func newClient(opts Options, login Login, home *url.URL, registry string) *http.Client {
	transport := opts.Transport
	if transport == nil {
		transport = http.DefaultTransport
		if base, ok := transport.(*http.Transport); ok && login.TLS != nil {
			own, others := base.Clone(), base.Clone()
			own.TLSClientConfig, others.TLSClientConfig = login.TLS, login.TLS.Clone()
			others.TLSClientConfig.Certificates, others.TLSClientConfig.GetClientCertificate = nil, nil
			transport = certified{own, others, home}
		}
	}
	return &http.Client{
		Transport: secured{transport, opts.PlainHTTP, registry, opts.TokenHosts},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 5 {
				return errors.New("more than 5 redirects")
			}
			// The http package takes a neighbouring domain or port for the same host. It is not.
			if origin(req.URL) != origin(via[0].URL) {
				req.Header.Del("Authorization")
			}
			req.Header.Del("Referer") // has the query of the address before, which may be its signature
			return nil
		},
	}
}

// certified shows the certificate of a login to one host alone.
type certified struct {
	own, others http.RoundTripper
	home        *url.URL
}

func (c certified) RoundTrip(req *http.Request) (*http.Response, error) {
	if origin(req.URL) == origin(c.home) {
		return c.own.RoundTrip(req)
	}
	return c.others.RoundTrip(req)
}

// secured refuses http, wherever it comes from: a reference, an index, a redirect, the address of a token server. It also
// refuses to send the login of a registry to a token server elsewhere, which the registry may name as it likes.
type secured struct {
	http.RoundTripper
	plainHTTP  bool
	registry   string // whose login is sent; "": the caller sends no login to others
	tokenHosts []string
}

func (s secured) RoundTrip(req *http.Request) (*http.Response, error) {
	var refused error
	switch {
	case req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !s.plainHTTP):
		refused = fmt.Errorf("%s is not https, and %w", Redact(req.URL), ErrPlainHTTP)
	case s.registry != "" && (req.Header.Get("Authorization") != "" || req.Method != http.MethodGet) && !s.mayLogIn(req.URL):
		refused = fmt.Errorf("the registry %s asks to send the login to %s: %w", s.registry, req.URL.Host, ErrTokenHost)
	}
	if refused == nil {
		return s.RoundTripper.RoundTrip(req)
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return nil, refused
}

// mayLogIn reports whether a host is the registry's own, or of the same owner: auth.docker.io is, for
// registry-1.docker.io.
func (s secured) mayLogIn(u *url.URL) bool {
	if u.Host == s.registry || slices.Contains(s.tokenHosts, u.Host) {
		return true
	}
	home := (&url.URL{Host: s.registry}).Hostname()
	if u.Hostname() == home {
		return true
	}
	own, err := publicsuffix.EffectiveTLDPlusOne(home)
	if err != nil || net.ParseIP(home) != nil {
		return false
	}
	other, err := publicsuffix.EffectiveTLDPlusOne(u.Hostname())
	return err == nil && own == other
}

// origin is what logins are bound to. The scheme is part of it: a login for https is not for http.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + u.Hostname() + ":" + port
}

// get reads what is at an address. With the validators of an earlier response it returns nil if nothing has changed.
func (s *site) get(ctx context.Context, u *url.URL, limit int64, known *cached) ([]byte, *cached, error) {
	resp, err := s.request(ctx, u, known)
	if err != nil {
		return nil, nil, err
	}
	if known != nil && resp.StatusCode == http.StatusNotModified {
		return nil, known, resp.Body.Close()
	}
	data, err := readBody(u, resp, limit)
	if err != nil {
		return nil, nil, err
	}
	return data, cachedOf(resp.Header, data), nil
}

// request asks for what is at an address. The caller closes the body.
func (s *site) request(ctx context.Context, u *url.URL, known *cached) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if origin(u) == origin(s.home) {
		if s.login.Username != "" {
			req.SetBasicAuth(s.login.Username, s.login.Password)
		}
	} else if u.User != nil {
		return nil, fmt.Errorf("GET %s: an address of another host brings a login of its own, which is not taken", Redact(u))
	}
	if known != nil {
		known.ask(req.Header)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, requestError(err)
	}
	return resp, nil
}

// readBody reads a successful response to its end, and closes it.
func readBody(u *url.URL, resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	body, err := newBody(u, resp, limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// body is what a successful response sends, up to a limit.
type body struct {
	io.Reader
	u           *url.URL
	read, limit int64
}

func newBody(u *url.URL, resp *http.Response, limit int64) (*body, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{URL: Redact(u), Code: resp.StatusCode, Status: resp.Status}
	}
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("GET %s: %w: %d bytes, at most %d are read", Redact(u), ErrTooBig, resp.ContentLength, limit)
	}
	return &body{resp.Body, u, 0, limit}, nil
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.limit:
		return 0, fmt.Errorf("GET %s: %w: more than %d bytes", Redact(b.u), ErrTooBig, b.limit)
	case err != nil && err != io.EOF:
		err = fmt.Errorf("GET %s: after %d bytes: %w", Redact(b.u), b.read, err)
	}
	return n, err
}

// stream is getCached for what need not be in memory as a whole. The reader is read to its end.
func (s *site) stream(ctx context.Context, u *url.URL, limit int64, read func(io.Reader) error) error {
	known, cached := s.cache.open(u, limit)
	if cached != nil {
		defer cached.Close()
	}
	resp, err := s.request(ctx, u, known)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if known != nil && resp.StatusCode == http.StatusNotModified {
		return read(cached)
	}
	from, err := newBody(u, resp, limit)
	if err != nil {
		return err
	}
	part, err := s.cache.part(resp.Header)
	if err != nil {
		return err
	}
	if part == nil {
		return read(from)
	}
	defer part.discard()
	whole := io.TeeReader(from, part)
	err = read(whole)
	if err != nil && !errors.Is(err, ErrNoChart) {
		return err
	}
	if _, unread := io.Copy(io.Discard, whole); unread != nil {
		return unread
	}
	return errors.Join(err, part.keep(u))
}

// getCached asks only whether what is in the cache still holds, where the server gave something to ask by.
func (s *site) getCached(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	known, cached := s.cache.last(u, limit)
	data, now, err := s.get(ctx, u, limit, known)
	if err != nil {
		return nil, err
	}
	if data == nil && now == known && known != nil {
		return cached, nil
	}
	return data, s.cache.remember(u, now, data)
}

// MaxProvenance is how large a provenance may be.
const MaxProvenance = 1 << 20

// provenance gets what lies beside an archive, if it was asked for. That there is none is no error.
func (s *site) provenance(ctx context.Context, archive *url.URL) ([]byte, error) {
	if !s.opts.Signed {
		return nil, nil
	}
	u := *archive
	u.Path, u.RawPath = u.Path+".prov", ""
	data, _, err := s.get(ctx, &u, MaxProvenance, nil)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the provenance: %w", err)
	}
	return data, nil
}
