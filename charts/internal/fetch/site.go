package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// site is one host, with the login that is for it alone. What it names may lie elsewhere.
type site struct {
	home  *url.URL
	login Login
	opts  Options
	http  *http.Client
}

func newSite(ctx context.Context, home *url.URL, opts Options) (*site, error) {
	login, err := opts.login(ctx, home)
	if err != nil {
		return nil, fmt.Errorf("log in at %s: %w", home.Host, err)
	}
	return &site{home: home, login: login, opts: opts, http: newClient(opts, login)}, nil
}

func newClient(opts Options, login Login) *http.Client {
	transport := opts.Transport
	if transport == nil {
		transport = http.DefaultTransport
		if base, ok := transport.(*http.Transport); ok && login.TLS != nil {
			own := base.Clone()
			own.TLSClientConfig = login.TLS
			transport = own
		}
	}
	return &http.Client{
		Transport: secured{transport, opts.PlainHTTP},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 5 {
				return errors.New("more than 5 redirects")
			}
			// The http package takes a neighbouring domain or port for the same host. It is not.
			if origin(req.URL) != origin(via[0].URL) {
				req.Header.Del("Authorization")
			}
			return nil
		},
	}
}

// secured refuses http, wherever it comes from: a reference, an index, a redirect, the address of a token server.
type secured struct {
	http.RoundTripper
	plainHTTP bool
}

func (s secured) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !s.plainHTTP) {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("%s is not https, and %w", req.URL.Redacted(), ErrPlainHTTP)
	}
	return s.RoundTripper.RoundTrip(req)
}

// origin is what logins are bound to. The scheme is part of it: a login for https is not for http.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + u.Hostname() + ":" + port
}

// get reads what is at an address. With validators of an earlier answer it answers nil where nothing has changed.
func (s *site) get(ctx context.Context, u *url.URL, limit int64, known *answer) ([]byte, *answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	if origin(u) == origin(s.home) {
		if s.login.Username != "" {
			req.SetBasicAuth(s.login.Username, s.login.Password)
		}
	} else if u.User != nil {
		return nil, nil, fmt.Errorf("GET %s: an address of another host brings a login of its own, which is not taken", u.Redacted())
	}
	if known != nil {
		known.ask(req.Header)
	}
	resp, err := s.http.Do(req)
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
	return data, answerOf(resp.Header, data), nil
}

// readBody reads a successful answer to its end, and closes it.
func readBody(u *url.URL, resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{URL: u.Redacted(), Code: resp.StatusCode, Status: resp.Status}
	}
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("GET %s: %w: %d bytes, at most %d are read", u.Redacted(), ErrTooBig, resp.ContentLength, limit)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: after %d bytes: %w", u.Redacted(), len(data), err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("GET %s: %w: more than %d bytes", u.Redacted(), ErrTooBig, limit)
	}
	return data, nil
}

// getCached asks only whether what is in the cache still holds, where the server gave something to ask by.
func (s *site) getCached(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	known, cached := s.opts.Cache.answer(u, limit)
	data, now, err := s.get(ctx, u, limit, known)
	if err != nil {
		return nil, err
	}
	if data == nil && now == known && known != nil {
		return cached, nil
	}
	return data, s.opts.Cache.remember(u, now, data)
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
