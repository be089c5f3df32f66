package charts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
)

// A signed repository has its signature in the query, for the index and for what it names.
func TestRepositoryWithAQuery(t *testing.T) {
	web := newWebServer(t)
	shop := newPacked(t, "shop", "1.0.0")
	web.publish(t, "/stable", shop)
	signed := func(path string, data []byte) {
		web.on(path, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "sig=s3cret" {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write(data)
		})
	}
	signed("/stable/index.yaml", []byte("entries:\n  shop:\n  - version: 1.0.0\n    urls: [shop-1.0.0.tgz]\n"))
	signed("/stable/shop-1.0.0.tgz", shop.data)
	opts := LoadOptions{Repository: web.URL + "/stable?sig=s3cret", Transport: trusting(web)}
	wantLoaded(t, "shop 1.0.0", "shop", opts)

	// It goes to no other host, and into no error.
	other := newWebServer(t)
	signed("/stable/index.yaml", []byte("entries:\n  shop:\n  - version: 1.0.0\n    urls: ['//"+strings.TrimPrefix(other.URL, "https://")+"/shop-1.0.0.tgz']\n"))
	other.on("/shop-1.0.0.tgz", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			t.Errorf("another host gets %s", r.URL.RawQuery)
		}
		http.NotFound(w, r)
	})
	if _, err := Load(t.Context(), "shop", opts); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	// Nor is it in what a redirect tells the host that it leads to.
	for _, path := range []string{"/stable/index.yaml", "/stable/shop-1.0.0.tgz"} {
		signed("/stable/index.yaml", []byte("entries:\n  shop:\n  - version: 1.0.0\n    urls: [shop-1.0.0.tgz]\n"))
		web.on(path, http.RedirectHandler(other.URL+"/away", http.StatusFound).ServeHTTP)
		asked := false
		other.on("/away", func(w http.ResponseWriter, r *http.Request) {
			if asked = true; strings.Contains(fmt.Sprint(r.Header, r.URL), "s3cret") {
				t.Errorf("by a redirect of %s another host gets %v", path, r.Header)
			}
			http.NotFound(w, r)
		})
		if _, err := Load(t.Context(), "shop", opts); err == nil || !asked || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: asked: %v, %v", path, asked, err)
		}
	}
	web.Close()
	if _, err := Load(t.Context(), "shop", opts); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

// Tags have a _ where versions have a +; both are understood.
func TestVersionsWithAPlus(t *testing.T) {
	oci := newOCIServer(t)
	oci.push(t, "team/shop", newPacked(t, "shop", "1.1.0+build.5"), "1.1.0_build.5", nil)
	opts := LoadOptions{Transport: trusting(oci.webServer)}
	ref := "oci://" + oci.host() + "/team/shop"
	for _, version := range []string{"1.1.0+build.5", "1.1.0_build.5"} {
		wantLoaded(t, "shop 1.1.0+build.5", ref+":"+version, opts)
		wantLoaded(t, "shop 1.1.0+build.5", ref, with(opts, version))
	}
}

// What is downloaded must be what was asked for.
func TestAnotherChart(t *testing.T) {
	web, oci := newWebServer(t), newOCIServer(t)
	web.publish(t, "/stable", newPacked(t, "shop", "1.0.0"))
	web.put("/stable/index.yaml", []byte("entries:\n  cart:\n  - {version: 1.0.0, urls: [shop-1.0.0.tgz]}\n  shop:\n  - {version: 2.0.0, urls: [shop-1.0.0.tgz]}\n"))
	opts := LoadOptions{Repository: web.URL + "/stable", Transport: trusting(web)}
	for _, name := range []string{"cart", "shop"} {
		wantRefused(t, name, opts, ErrNoVersion, "what is there is shop 1.0.0")
	}
	oci.push(t, "team/cart", newPacked(t, "shop", "1.0.0"), "1.0.0", nil)
	manifest, _ := oci.push(t, "team/shop", newPacked(t, "shop", "1.0.0"), "2.0.0", nil)
	opts = LoadOptions{Transport: trusting(oci.webServer)}
	wantRefused(t, "oci://"+oci.host()+"/team/cart:1.0.0", opts, ErrNoVersion, "what is there is shop 1.0.0")
	wantRefused(t, "oci://"+oci.host()+"/team/shop:2.0.0", opts, ErrNoVersion, "what is there is shop 1.0.0")
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop@"+manifest, opts)
}

// Who knows a digest gets nothing of it from a cache that others fill.
func TestSharedCacheKeepsLoginsApart(t *testing.T) {
	oci := newOCIServer(t)
	manifest, blob := oci.push(t, "team/shop", newPacked(t, "shop", "1.0.0"), "", nil)
	oci.wantLogin("alice:s3cret")
	cache := t.TempDir()
	alice := LoadOptions{Transport: trusting(oci.webServer), Cache: cache, Username: "alice", Password: "s3cret"}
	ref := "oci://" + oci.host() + "/team/shop@" + manifest
	wantLoaded(t, "shop 1.0.0", ref, alice)
	wantLoaded(t, "shop 1.0.0", ref, alice)
	for _, bob := range []LoadOptions{{}, {Username: "bob", Password: "x"}, {Username: "alice", Password: "guess"}} {
		bob.Transport, bob.Cache = trusting(oci.webServer), cache
		wantRefused(t, ref, bob, ErrUnauthorized)
	}
	// By an index, or a registry, of his own.
	web := newWebServer(t)
	web.put("/index.yaml", []byte("entries:\n  shop:\n  - version: 1.0.0\n    digest: "+blob+"\n    urls: [shop-1.0.0.tgz]\n"))
	wantRefused(t, "shop", LoadOptions{Repository: web.URL, Transport: trusting(web), Cache: cache}, ErrNotFound)
	own := newOCIServer(t)
	wantRefused(t, "oci://"+own.host()+"/team/shop@"+manifest, LoadOptions{Transport: trusting(own.webServer), Cache: cache}, ErrNotFound)
	// What is there is found again only by its own login.
	oci.asked()
	wantLoaded(t, "shop 1.0.0", ref, alice)
	if asked := oci.asked(); len(asked) > 0 {
		t.Errorf("asked for %q", asked)
	}
	files, err := filepath.Glob(filepath.Join(cache, "sha256", "*"))
	if err != nil || len(files) != 3 { // manifest, chart, the index of Bob
		t.Errorf("%q, %v", files, err)
	}
}

// recording responds to each request as a registry that names a token server, and records who gets logins.
type recording struct {
	realm string
	got   []string
}

func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization") != "" || req.Method != http.MethodGet {
		r.got = append(r.got, req.URL.Host)
	}
	resp := &http.Response{StatusCode: http.StatusUnauthorized, Status: "401 Unauthorized", Header: http.Header{}, Body: http.NoBody, Request: req}
	resp.Header.Set("Www-Authenticate", `Bearer realm="`+r.realm+`",service="x"`)
	return resp, nil
}

func TestLoginsOfRegistries(t *testing.T) {
	for realm, allowed := range map[string]bool{
		"https://auth.docker.io/token":                 true,
		"https://registry-1.docker.io/token":           true,
		"https://evil.example/token":                   false,
		"https://docker.io.evil.example/token":         false,
		"https://auth.docker.io.evil.example:80/token": false,
		"https://token.example.org/token":              true,
	} {
		r := &recording{realm: realm}
		_, err := Load(t.Context(), "oci://registry-1.docker.io/team/shop:1.0.0", LoadOptions{Username: "u", Password: "s3cret", Transport: r, TokenHosts: []string{"token.example.org"}})
		if sent := len(r.got) > 0; sent != allowed || errors.Is(err, ErrTokenHost) == allowed {
			t.Errorf("%s: sent to %q, %v", realm, r.got, err)
		}
	}
}

// No error of this package shows a password, whichever way it is written.
func TestPasswordsAreRedacted(t *testing.T) {
	for _, ref := range []string{
		"https://user:s3cret@127.0.0.1:1/shop.tgz", "https://user:s3cret@host:bad/shop.tgz", "http://user:s3cret@host/shop.tgz", "https://user:s3cret@%zz/shop.tgz",
		"oci://user:s3cret@host/shop", "ftp://user:s3cret@host/shop", "https:/user:s3cret@host/shop", "user:s3cret@host/shop", "https://127.0.0.1:1/shop.tgz?sig=s3cret", "https://u:s3cret@[::1/shop",
	} {
		for _, opts := range []LoadOptions{{}, {Repository: ref}} {
			_, err := Load(t.Context(), ref, opts)
			for e := err; e != nil; e = errors.Unwrap(e) {
				if _, ours := e.(*LoadError); ours && strings.Contains(fmt.Sprintf("%v", e), "s3cret") {
					t.Errorf("%s: %v", ref, e)
				}
			}
			var failure *LoadError
			if !errors.As(err, &failure) || strings.Contains(failure.Ref+failure.Err.Error(), "s3cret") {
				t.Errorf("%s: %v", ref, err)
			}
		}
	}
	e := &DependencyError{Repository: fetch.RedactText("https://u:s3cret@h/x?sig=s3cret")}
	if strings.Contains(e.Error(), "s3cret") {
		t.Error(e)
	}
}

func TestTimeout(t *testing.T) {
	web := newWebServer(t)
	done := make(chan struct{})
	defer close(done)
	web.on("/shop.tgz", func(http.ResponseWriter, *http.Request) { <-done })
	_, err := Load(t.Context(), web.URL+"/shop.tgz", LoadOptions{Transport: trusting(web), Timeout: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "LoadOptions.Timeout of 50ms") {
		t.Errorf("%v", err)
	}
}

func TestPublicTransport(t *testing.T) {
	for _, address := range []string{"127.0.0.1:443", "10.1.2.3:443", "192.168.0.1:443", "169.254.169.254:80", "[::1]:443", "[fe80::1]:443", "[fd00::1]:443", "[::ffff:10.0.0.1]:443", "100.64.0.1:443", "0.0.0.0:443", "224.0.0.1:443", "x:1",
		"0.1.2.3:443", "192.0.0.192:80", "198.18.0.1:443", "240.0.0.1:443", "[::127.0.0.1]:443", "[64:ff9b::a9fe:a9fe]:80", "[64:ff9b:1::a00:1]:80",
		"[2002:a00:1::1]:443", "[2001:0:a00:1::1]:443", "[fec0::1]:443", "[fe80::1%eth0]:443", "[64:ff9b::a9fe:a9fe%1]:80"} {
		if err := refusePrivate("tcp", address, nil); !errors.Is(err, ErrPrivateAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"1.1.1.1:443", "[2606:4700::1111]:443", "[64:ff9b::101:101]:443"} {
		if err := refusePrivate("tcp", address, nil); err != nil {
			t.Error(err)
		}
	}
	web := newWebServer(t)
	wantRefused(t, web.URL+"/shop.tgz", LoadOptions{Transport: PublicTransport()}, ErrPrivateAddress)
}
