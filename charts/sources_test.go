package charts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loaded is NAME VERSION of what a reference gives.
func loaded(t *testing.T, ref string, opts LoadOptions) (string, error) {
	t.Helper()
	chart, err := Load(t.Context(), ref, opts)
	if err != nil {
		var failure *LoadError
		if !errors.As(err, &failure) || failure.Ref == "" {
			t.Errorf("%v is no *LoadError of a reference", err)
		}
		return "", err
	}
	info := chart.Info()
	return info.Name + " " + info.Version, nil
}

func wantLoaded(t *testing.T, want, ref string, opts LoadOptions) {
	t.Helper()
	if got, err := loaded(t, ref, opts); err != nil || got != want {
		t.Errorf("%s: got %q, %v; want %q", ref, got, err, want)
	}
}

func wantRefused(t *testing.T, ref string, opts LoadOptions, is error, says ...string) {
	t.Helper()
	got, err := loaded(t, ref, opts)
	if err == nil {
		t.Fatalf("%s: got %s; want %v", ref, got, is)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%s: %v is not %v", ref, err, is)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %q does not say %q", ref, err, text)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%s: the error tells the password: %v", ref, err)
	}
}

func TestLoadFromARepository(t *testing.T) {
	web := newWebServer(t)
	web.wantLogin("robot:s3cret")
	web.publish(t, "/stable", newPacked(t, "shop", "1.0.0"), newPacked(t, "shop", "1.2.0"), newPacked(t, "shop", "2.0.0-rc.1"), newPacked(t, "cart", "0.1.0"))
	opts := LoadOptions{Repository: web.URL + "/stable", Transport: trusting(web), Username: "robot", Password: "s3cret"}
	wantLoaded(t, "shop 1.2.0", "shop", opts)
	wantLoaded(t, "shop 1.0.0", "shop", with(opts, "~1.0"))
	wantLoaded(t, "shop 2.0.0-rc.1", "shop", with(opts, "2.0.0-rc.1"))
	wantLoaded(t, "cart 0.1.0", web.URL+"/stable/cart-0.1.0.tgz", LoadOptions{Transport: trusting(web), Username: "robot", Password: "s3cret"})
	wantLoaded(t, "cart 0.1.0", strings.Replace(web.URL, "://", "://robot:s3cret@", 1)+"/stable/cart-0.1.0.tgz", LoadOptions{Transport: trusting(web)})

	wantRefused(t, "shop", with(opts, "^3"), ErrNoVersion, `no such version as "^3"`, "the newest is 2.0.0-rc.1", "a prerelease must be named")
	wantRefused(t, "shap", opts, ErrNoChart, `"shap"`)
	opts.Repository += "/nowhere"
	wantRefused(t, "shop", opts, ErrNotFound, "read the index", "/stable/nowhere/index.yaml", "404")
}

func TestLoadFromARegistry(t *testing.T) {
	oci := newOCIServer(t)
	oci.wantLogin("robot:s3cret")
	old := newPacked(t, "shop", "1.0.0")
	manifest, _ := oci.push(t, "team/shop", old, "", nil)
	oci.push(t, "team/shop", newPacked(t, "shop", "1.1.0+build.5"), "1.1.0_build.5", nil)
	opts := LoadOptions{Transport: trusting(oci.webServer), Username: "robot", Password: "s3cret"}
	ref := "oci://" + oci.host() + "/team/shop"
	wantLoaded(t, "shop 1.1.0+build.5", ref, opts)
	wantLoaded(t, "shop 1.0.0", ref, with(opts, "~1.0"))
	wantLoaded(t, "shop 1.0.0", ref+":1.0.0", opts)
	wantLoaded(t, "shop 1.0.0", ref+"@"+manifest, opts)

	wantRefused(t, ref, with(opts, "9"), ErrNoVersion, "the newest is 1.1.0+build.5")
	wantRefused(t, ref+":9", opts, ErrNotFound)
	wantRefused(t, ref+"@sha256:"+strings.Repeat("0", 64), opts, ErrNotFound)
	wantRefused(t, "oci://"+oci.host()+"/Team/shop", opts, nil, "invalid")
}

// Logins that are missing, wrong or expired say so, wherever they are refused.
func TestExpiredLogins(t *testing.T) {
	web := newWebServer(t)
	web.wantLogin("robot:fresh")
	web.publish(t, "/stable", newPacked(t, "shop", "1.0.0"))
	opts := LoadOptions{Transport: trusting(web), Username: "robot", Password: "s3cret-of-last-year"}
	hint := "a token may have expired"
	wantRefused(t, web.URL+"/stable/shop-1.0.0.tgz", opts, ErrUnauthorized, "401", hint)
	wantRefused(t, web.URL+"/stable/shop-1.0.0.tgz", LoadOptions{Transport: trusting(web)}, ErrUnauthorized, hint)
	opts.Repository = web.URL + "/stable"
	wantRefused(t, "shop", opts, ErrUnauthorized, "read the index", hint)

	oci := newOCIServer(t)
	oci.push(t, "team/shop", newPacked(t, "shop", "1.0.0"), "", nil)
	oci.wantLogin("robot:fresh")
	opts.Repository = ""
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, ErrUnauthorized, hint)
	wantRefused(t, "oci://"+oci.host()+"/team/shop", opts, ErrUnauthorized, "list the tags")

	// A token server that does not take the password any more.
	token := newWebServer(t)
	token.on("/token", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "expired", http.StatusUnauthorized) })
	oci.on("/v2/team/shop/manifests/1.0.0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+token.URL+`/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	oci.wantLogin("")
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, ErrUnauthorized, hint)
}

// What was changed on its way is not used.
func TestWrongDigests(t *testing.T) {
	web := newWebServer(t)
	shop, forged := newPacked(t, "shop", "1.0.0"), newPacked(t, "shop", "1.0.1")
	web.publish(t, "/stable", shop)
	web.put("/stable/"+shop.file(), forged.data)
	wantRefused(t, "shop", LoadOptions{Repository: web.URL + "/stable", Transport: trusting(web)}, ErrDigest, "the index promised sha256:", "who changed it")

	oci := newOCIServer(t)
	manifest, blob := oci.push(t, "team/shop", shop, "", nil)
	other, _ := oci.push(t, "team/shop", forged, "", nil)
	opts := LoadOptions{Transport: trusting(oci.webServer)}
	changed := slices.Clone(shop.data)
	changed[len(changed)/2] ^= 1
	oci.on("/v2/team/shop/blobs/"+blob, func(w http.ResponseWriter, _ *http.Request) { w.Write(changed) })
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, ErrDigest, blob)

	// The manifest of another version under the digest of the first.
	oci.on("/v2/team/shop/manifests/"+manifest, func(w http.ResponseWriter, r *http.Request) {
		resp, err := oci.Client().Get(oci.URL + "/v2/team/shop/manifests/" + other)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.Header().Set("Content-Length", resp.Header.Get("Content-Length"))
		io.Copy(w, resp.Body)
	})
	wantRefused(t, "oci://"+oci.host()+"/team/shop@"+manifest, opts, ErrDigest, "the reference promised "+manifest)
}

func TestTruncatedArchives(t *testing.T) {
	web := newWebServer(t)
	shop := newPacked(t, "shop", "1.0.0")
	half := shop.data[:len(shop.data)/2]
	cutOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(shop.data)))
		w.Write(half)
	}
	web.on("/cut-off.tgz", cutOff)
	web.put("/half.tgz", half)
	opts := LoadOptions{Transport: trusting(web)}
	wantRefused(t, web.URL+"/cut-off.tgz", opts, io.ErrUnexpectedEOF, fmt.Sprintf("after %d bytes", len(half)), "try again")
	wantRefused(t, web.URL+"/half.tgz", opts, io.ErrUnexpectedEOF, "the archive is cut off")

	oci := newOCIServer(t)
	_, blob := oci.push(t, "team/shop", shop, "", nil)
	oci.on("/v2/team/shop/blobs/"+blob, cutOff)
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, io.ErrUnexpectedEOF)
}

// However much a server sends, only so much is read; what it announces too large is not read at all.
func TestHugeBodies(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for block := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	announced := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(1)<<40))
		endless(w, r)
	}
	web := newWebServer(t)
	web.on("/endless.tgz", endless)
	web.on("/announced.tgz", announced)
	web.on("/repository/index.yaml", endless)
	opts := LoadOptions{Transport: trusting(web)}
	wantRefused(t, web.URL+"/endless.tgz", opts, ErrTooBig, "more than 20971520 bytes")
	wantRefused(t, web.URL+"/announced.tgz", opts, ErrTooBig, "1099511627776 bytes")
	wantRefused(t, "shop", LoadOptions{Repository: web.URL + "/repository", Transport: trusting(web)}, ErrTooBig, "read the index")

	oci := newOCIServer(t)
	oci.push(t, "team/shop", packed{"shop", "1.0.0", make([]byte, 21<<20)}, "", nil)
	oci.on("/v2/team/endless/manifests/1.0.0", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		announced(w, r)
	})
	var more atomic.Int32
	oci.on("/v2/team/many/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`</v2/team/many/tags/list?last=%d>; rel="next"`, more.Add(1)))
		fmt.Fprintf(w, `{"name": "team/many", "tags": [%s"0.0.0"]}`, strings.Repeat(`"1.0.0",`, 10_000))
	})
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, ErrTooBig, "22020096 bytes")
	wantRefused(t, "oci://"+oci.host()+"/team/endless:1.0.0", opts, ErrTooBig, "manifests/1.0.0", "1099511627776 bytes")
	wantRefused(t, "oci://"+oci.host()+"/team/many", opts, ErrTooBig, "50000 tags")
}

// A server that never responds blocks no call beyond its context.
func TestCancelledLoads(t *testing.T) {
	web := newWebServer(t)
	waiting := make(chan struct{}, 10)
	hang := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		waiting <- struct{}{}
		<-r.Context().Done()
	}
	for _, path := range []string{"/shop.tgz", "/repository/index.yaml", "/v2/team/shop/manifests/1.0.0", "/v2/team/shop/tags/list"} {
		web.on(path, hang)
	}
	host := strings.TrimPrefix(web.URL, "https://")
	for ref, repository := range map[string]string{
		web.URL + "/shop.tgz": "", "shop": web.URL + "/repository", "oci://" + host + "/team/shop:1.0.0": "", "oci://" + host + "/team/shop": "",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-waiting; cancel() }()
		begin := time.Now()
		_, err := Load(ctx, ref, LoadOptions{Repository: repository, Transport: trusting(web)})
		if !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %v after %v", ref, err, time.Since(begin))
		}
		cancel()
	}
}

// A login is for one host: not for one that it redirects to, that an index names, or that serves a dependency.
func TestLoginsStayWithTheirHost(t *testing.T) {
	shop := newPacked(t, "shop", "1.0.0")
	other := newWebServer(t)
	other.put("/shop.tgz", shop.data)
	web := newWebServer(t)
	web.wantLogin("robot:s3cret")
	away := http.RedirectHandler(other.URL+"/shop.tgz", http.StatusFound).ServeHTTP
	web.on("/shop.tgz", away)
	web.put("/repository/index.yaml", []byte("entries: {shop: [{version: 1.0.0, urls: ['"+other.URL+"/shop.tgz']}]}"))
	opts := LoadOptions{Transport: trusting(web), Username: "robot", Password: "s3cret"}
	wantLoaded(t, "shop 1.0.0", web.URL+"/shop.tgz", opts)
	opts.Repository = web.URL + "/repository"
	wantLoaded(t, "shop 1.0.0", "shop", opts)
	opts.Repository = ""

	oci := newOCIServer(t)
	_, blob := oci.push(t, "team/shop", shop, "", nil)
	oci.wantLogin("robot:s3cret")
	oci.on("/v2/team/shop/blobs/"+blob, away)
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop:1.0.0", opts)

	if n := len(other.asked()); n != 3 || len(other.sent()) > 0 {
		t.Errorf("the other host was asked %d times, with the logins %q", n, other.sent())
	}
	if len(web.sent()) == 0 || len(oci.sent()) == 0 {
		t.Error("the login was not sent where it belongs")
	}

	// Nor does it go anywhere in plain text.
	plain := strings.Replace(other.URL, "https://", "http://", 1)
	web.on("/plain.tgz", http.RedirectHandler(plain+"/shop.tgz", http.StatusFound).ServeHTTP)
	wantRefused(t, web.URL+"/plain.tgz", opts, ErrPlainHTTP, "is not https")
	oci.wantLogin("")
	oci.on("/v2/team/shop/manifests/1.0.0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+plain+`/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	wantRefused(t, "oci://"+oci.host()+"/team/shop:1.0.0", opts, nil, "uses http but")
}

func TestCache(t *testing.T) {
	web := newWebServer(t)
	shop := newPacked(t, "shop", "1.0.0")
	web.publish(t, "/stable", shop)
	opts := LoadOptions{Transport: trusting(web), Cache: filepath.Join(t.TempDir(), "cache")}
	repository := opts
	repository.Repository = web.URL + "/stable"
	expect := func(server *webServer, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, server.asked()); diff != "" {
			t.Errorf("-want +asked:\n%s", diff)
		}
	}
	wantLoaded(t, "shop 1.0.0", "shop", repository)
	expect(web, "GET /stable/index.yaml 200", "GET /stable/shop-1.0.0.tgz 200")
	wantLoaded(t, "shop 1.0.0", "shop", repository)
	expect(web, "GET /stable/index.yaml 304")
	wantLoaded(t, "shop 1.0.0", web.URL+"/stable/shop-1.0.0.tgz", opts)
	expect(web, "GET /stable/shop-1.0.0.tgz 200")
	wantLoaded(t, "shop 1.0.0", web.URL+"/stable/shop-1.0.0.tgz", opts)
	expect(web, "GET /stable/shop-1.0.0.tgz 304")

	// A new index is noticed, and a cache that was tampered with is not believed.
	web.publish(t, "/stable", shop, newPacked(t, "shop", "1.1.0"))
	wantLoaded(t, "shop 1.1.0", "shop", repository)
	web.asked()
	blobs, err := filepath.Glob(filepath.Join(opts.Cache, "sha256", "*"))
	if err != nil || len(blobs) != 4 {
		t.Fatalf("the cache holds %v, %v", blobs, err)
	}
	for _, blob := range blobs {
		writeFiles(t, opts.Cache, map[string]string{filepath.Join("sha256", filepath.Base(blob)): "tampered"})
	}
	wantLoaded(t, "shop 1.1.0", "shop", repository)
	expect(web, "GET /stable/index.yaml 200", "GET /stable/shop-1.1.0.tgz 200")

	oci := newOCIServer(t)
	manifest, blob := oci.push(t, "team/shop", shop, "", nil)
	opts.Cache = t.TempDir()
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop:1.0.0", opts)
	expect(oci.webServer, "GET /v2/team/shop/manifests/1.0.0 200", "GET /v2/team/shop/blobs/"+blob+" 200")
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop:1.0.0", opts)
	expect(oci.webServer, "GET /v2/team/shop/manifests/1.0.0 200")
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop@"+manifest, opts)
	oci.asked()
	wantLoaded(t, "shop 1.0.0", "oci://"+oci.host()+"/team/shop@"+manifest, opts)
	expect(oci.webServer)

	opts.Cache = filepath.Join(blobs[0], "no-folder")
	wantRefused(t, web.URL+"/stable/shop-1.0.0.tgz", opts, nil, "write the cache")
}
