package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// A guarded server asks for a login, and fails the test if another site sees it.
func guarded(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "s3cret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, content)
	}))
	t.Cleanup(server.Close)
	return server
}

var login = Options{PlainHTTP: true, Login: func(context.Context, *url.URL) (Login, error) {
	return Login{Username: "robot", Password: "s3cret"}, nil
}}

func with(opts Options, change func(*Options)) Options {
	change(&opts)
	return opts
}

func TestRepository(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials were sent to another host")
		}
		io.WriteString(w, "shop 3.0.0")
	}))
	t.Cleanup(other.Close)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("shop 1.2.3")))
	index := `apiVersion: v1
entries:
  shop:
  - {version: 4.0.0-rc.1, urls: [shop-4.0.0-rc.1.tgz]}
  - {version: 3.0.0, urls: ["` + other.URL + `/shop-3.0.0.tgz"]}
  - {version: 1.2.3, urls: [gone.tgz, charts/shop-1.2.3.tgz], digest: ` + sum + `}
  - {version: 1.2.0, urls: [charts/shop-1.2.0.tgz], digest: ` + sum + `}
`
	server := guarded(t, map[string]string{
		"/stable/index.yaml": index, "/stable/charts/shop-1.2.3.tgz": "shop 1.2.3", "/stable/charts/shop-1.2.0.tgz": "forged",
		"/broken/index.yaml": "entries: [",
	})
	tests := map[string]struct {
		path, name, version, want, fails string
	}{
		"the newest, from another host":  {"/stable", "shop", "", "shop 3.0.0", ""},
		"a range, relative, second best": {"/stable/", "shop", "^1", "shop 1.2.3", ""},
		"an exact version":               {"/stable", "shop", "1.2.3", "shop 1.2.3", ""},
		"a forged archive":               {"/stable", "shop", "1.2.0", "", "the index promised"},
		"no such version":                {"/stable", "shop", "^9", "", "no such version"},
		"no version at all":              {"/stable", "shop", "newest", "", `version "newest"`},
		"no such chart":                  {"/stable", "shap", "", "", `no such chart as "shap"`},
		"a prerelease that is missing":   {"/stable", "shop", "4.0.0-rc.1", "", "404"},
		"no such repository":             {"/nowhere", "shop", "", "", "read the index: GET"},
		"a broken index":                 {"/broken", "shop", "", "", "read the index"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := with(login, func(o *Options) { o.Version = test.version })
			got, err := Repository(t.Context(), server.URL+test.path, test.name, opts)
			check(t, got, err, test.want, test.fails)
		})
	}
}

func TestURL(t *testing.T) {
	server := guarded(t, map[string]string{"/shop.tgz": "shop"})
	tests := map[string]struct {
		path        string
		opts        Options
		want, fails string
	}{
		"with login":       {"/shop.tgz", login, "shop", ""},
		"without":          {"/shop.tgz", Options{PlainHTTP: true}, "", "401"},
		"gone":             {"/gone.tgz", login, "", "404"},
		"http not allowed": {"/shop.tgz", Options{}, "", "not https"},
		"too big":          {"/shop.tgz", with(login, func(o *Options) { o.MaxBytes = 3 }), "", "too big"},
		"just fits":        {"/shop.tgz", with(login, func(o *Options) { o.MaxBytes = 4 }), "shop", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := URL(t.Context(), server.URL+test.path, test.opts)
			check(t, got, err, test.want, test.fails)
		})
	}
}

func TestURLStaysWithHTTPS(t *testing.T) {
	plain := guarded(t, map[string]string{"/shop.tgz": "shop"})
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/shop.tgz", http.StatusFound))
	t.Cleanup(secure.Close)
	_, err := URL(t.Context(), secure.URL+"/shop.tgz", Options{Transport: secure.Client().Transport})
	check(t, nil, err, "", "not https")
}

func TestOCI(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tag := range []string{"1.0.0", "1.1.0_build.5", "2.0.0-rc.1"} {
		push(t, server.URL, "team/shop", tag, chartLayer, "shop "+tag)
	}
	digest := push(t, server.URL, "team/shop", "latest", chartLayer, "pinned")
	push(t, server.URL, "team/image", "1.0.0", ocispec.MediaTypeImageLayerGzip, "an image")
	tests := map[string]struct {
		ref         string
		opts        Options
		want, fails string
	}{
		"a tag":           {"/team/shop:1.0.0", Options{}, "shop 1.0.0", ""},
		"the newest":      {"/team/shop", Options{}, "shop 1.1.0_build.5", ""},
		"a range":         {"/team/shop", Options{Version: "~1.0"}, "shop 1.0.0", ""},
		"a prerelease":    {"/team/shop", Options{Version: "2.0.0-rc.1"}, "shop 2.0.0-rc.1", ""},
		"a digest":        {"/team/shop@" + digest, Options{}, "pinned", ""},
		"no such version": {"/team/shop", Options{Version: "3.x"}, "", "no such version"},
		"no such tag":     {"/team/shop:9", Options{}, "", "404 Not Found"},
		"no chart":        {"/team/image:1.0.0", Options{}, "", "no layer of the artifact is"},
		"too big":         {"/team/shop:1.0.0", Options{MaxBytes: 4}, "", "too big"},
		"no reference":    {"/Team/shop:1.0.0", Options{}, "", "invalid reference"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.opts.PlainHTTP = true
			got, err := OCI(t.Context(), "oci://"+host+test.ref, test.opts)
			check(t, got, err, test.want, test.fails)
		})
	}
}

func TestErrorsCanBeTold(t *testing.T) {
	server := guarded(t, map[string]string{"/shop.tgz": "shop", "/index.yaml": "entries: {shop: [{version: 1.0.0}]}"})
	if _, err := URL(t.Context(), server.URL+"/shop.tgz", with(login, func(o *Options) { o.MaxBytes = 1 })); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v is no ErrTooBig", err)
	}
	if _, err := Repository(t.Context(), server.URL, "shop", with(login, func(o *Options) { o.Version = "2" })); !errors.Is(err, ErrNoVersion) {
		t.Errorf("%v is no ErrNoVersion", err)
	}
}

func check(t *testing.T, archive *Archive, err error, want, fails string) {
	t.Helper()
	var got []byte
	if archive != nil {
		got = archive.Data
	}
	if fails != "" {
		if err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("got %q, %v; want an error that says %q", got, err, fails)
		}
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// push puts one layer and its manifest into a registry and returns the manifest's digest.
func push(t *testing.T, server, repository, tag, mediaType, layer string) string {
	t.Helper()
	put := func(method, address, contentType string, body []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: %s", method, address, resp.Status)
		}
	}
	blob := func(data []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		put(http.MethodPost, server+"/v2/"+repository+"/blobs/uploads/?digest="+d.Digest.String(), "application/octet-stream", data)
		return d
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: []ocispec.Descriptor{blob([]byte(layer))}}
	manifest.Config = blob([]byte("{}"))
	manifest.Config.MediaType = "application/vnd.cncf.helm.config.v1+json"
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(http.MethodPut, server+"/v2/"+repository+"/manifests/"+tag, ocispec.MediaTypeImageManifest, data)
	return digest.FromBytes(data).String()
}

// The certificate of a login is shown to its host, and to none that a redirect or an index leads to.
func TestCertificatesStayWithTheirHost(t *testing.T) {
	shown := map[string]int{}
	server := func(name string, handler http.HandlerFunc) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			shown[name] += len(r.TLS.PeerCertificates)
			handler(w, r)
		}))
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	other := server("other", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a chart")) })
	home := server("home", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "index.yaml") {
			_, _ = w.Write([]byte("entries: {shop: [{version: 1.0.0, urls: ['" + other.URL + "/shop.tgz']}]}"))
			return
		}
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	own := home.TLS.Certificates
	trusted := x509.NewCertPool()
	trusted.AddCert(home.Certificate())
	trusted.AddCert(other.Certificate())
	opts := Options{Login: func(context.Context, *url.URL) (Login, error) {
		return Login{TLS: &tls.Config{RootCAs: trusted, Certificates: own}}, nil
	}}
	if _, err := URL(t.Context(), home.URL+"/shop.tgz", opts); err != nil {
		t.Error(err)
	}
	if _, err := Repository(t.Context(), home.URL, "shop", opts); err != nil {
		t.Error(err)
	}
	if shown["home"] == 0 || shown["other"] != 0 {
		t.Errorf("certificates that were shown: %v", shown)
	}
}
