//go:build linux

package hostile

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/charts"
)

// TestRegistries loads charts from repositories and registries that send too much,
// too long, or in circles.
func TestRegistries(t *testing.T) { Run(t, registries()) }

// endless writes a text until the other side has had enough.
func endless(w io.Writer, text string) {
	block := []byte(strings.Repeat(text, 64<<10/len(text)+1))
	for range 1 << 15 { // 2 GiB
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func registries() []Case {
	var cases []Case
	load := func(name string, opts charts.LoadOptions, ref string, handle func(w http.ResponseWriter, r *http.Request)) {
		cases = append(cases, Case{
			Name: name, Typed: func(err error) bool { return errors.As(err, new(*charts.LoadError)) },
			Run: func(ctx context.Context) error {
				server := httptest.NewServer(http.HandlerFunc(handle))
				defer server.Close()
				opts.UnsafePlainHTTP, opts.Timeout = true, 20*time.Second
				if opts.Repository != "" {
					opts.Repository = server.URL
				}
				_, err := charts.Load(ctx, strings.ReplaceAll(ref, "HOST", strings.TrimPrefix(server.URL, "http://")), opts)
				if err == nil {
					return errors.New("it is loaded")
				}
				return err
			},
		})
	}
	repository := charts.LoadOptions{Repository: "x"}
	index := func(name, before, fill, after string, n int) {
		load("index with "+name, repository, "web", func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "index.yaml") {
				http.NotFound(w, r)
				return
			}
			io.WriteString(w, before)
			if n == 0 {
				endless(w, fill)
			}
			for range n {
				io.WriteString(w, fill)
			}
			io.WriteString(w, after)
		})
	}
	const block = "entries:\n  web:\n"
	index("an endless line", block+"  - version: ", "x", "", 0)
	index("endless lines", block, "  - version: 1.0.0\n", "", 0)
	index("endless charts", "entries:\n", "  a:\n  - version: 1.0.0\n", "", 0)
	index("endless JSON", `{"entries":{"web":[{}`, ",{}", "", 0)
	index("an endless text in JSON", `{"a":"`, "x", "", 0)
	index("endless blanks", " ", " ", "", 0)
	index("endless comments", "#\n", "# x\n", "", 0)
	index("brackets in JSON", `{"a":`, strings.Repeat("[", 1000), "", 15_000)
	index("many versions", block, strings.Repeat("  - version: 1.0.0\n", 100), "", 9_000)
	index("many empty versions", block, strings.Repeat("  - {}\n", 100), "", 25_000)
	index("many empty versions in JSON", `{"entries":{"web":[{}`, strings.Repeat(",{}", 100), "]}}", 60_000)
	index("many addresses", block+"  - version: 1.0.0\n    urls: [", strings.Repeat("a,", 100), "]\n", 50_000)
	index("aliases", block+"  - version: &a "+strings.Repeat("x", 100_000)+"\n    urls: [", strings.Repeat("*a,", 100), "]\n", 10_000)
	index("aliases elsewhere", "a: &a "+strings.Repeat("x", 100_000)+"\n"+block+"  - version: 1.0.0\n    urls: [", strings.Repeat("*a,", 100), "]\n", 1000)
	index("aliases in another style", "a: &a "+strings.Repeat("x", 100_000)+"\nentries: {web: [{version: 1.0.0, urls: [", strings.Repeat("*a,", 100), "]}]}\n", 10_000)
	index("another style", "entries: {", strings.Repeat("a: [{version: 1.0.0}], ", 100), "}\n", 5000)
	index("long versions", block, "  - version: "+strings.Repeat("1.", 100_000)+"\n", "", 50)
	index("long prereleases", block, "  - version: 1.0.0-"+strings.Repeat("a.", 100_000)+"\n", "", 50)
	index("binary", block+"  - version: !!binary ", strings.Repeat("////", 1000), "\n", 3000)
	load("index with a range of versions", charts.LoadOptions{Repository: "x", Version: strings.Repeat(">1 || ", 100_000) + ">1"}, "web", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, block+strings.Repeat("  - version: 1.0.0\n", 10_000))
	})
	load("redirects in a circle", charts.LoadOptions{}, "http://HOST/x.tgz", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	})
	load("large headers", charts.LoadOptions{}, "http://HOST/x.tgz", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 100 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1<<20))
		}
	})
	load("endless chart", charts.LoadOptions{}, "http://HOST/x.tgz", func(w http.ResponseWriter, _ *http.Request) { endless(w, "\x1f\x8b\x08") })
	load("endless archive", charts.LoadOptions{}, "http://HOST/x.tgz", func(w http.ResponseWriter, _ *http.Request) {
		zip := gzip.NewWriter(w)
		endless(zip, "\x00")
	})
	load("endless provenance", charts.LoadOptions{Keyring: []byte("x")}, "http://HOST/x.tgz", func(w http.ResponseWriter, _ *http.Request) { endless(w, "x") })
	load("packed transfer", charts.LoadOptions{}, "http://HOST/x.tgz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		endless(zip, "\x00")
	})
	load("packed index", repository, "web", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		endless(zip, "# x\n")
	})
	for name, body := range map[string]string{
		"tags": `{"name":"x","tags":["1.0.0"`, "manifest": `{"schemaVersion":2,"layers":[{}`, "token": `{"token":"`, "error": `{"errors":[{"code":"X","message":"`,
	} {
		load("registry with endless "+name, charts.LoadOptions{}, "oci://HOST/team/web"+map[bool]string{true: "", false: ":1.0.0"}[name == "tags"], func(w http.ResponseWriter, r *http.Request) {
			switch {
			case name == "token" && !strings.Contains(r.URL.Path, "token"):
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			case name == "error":
				w.WriteHeader(http.StatusBadRequest)
			}
			io.WriteString(w, body)
			endless(w, map[string]string{"tags": `,"1.0.0"`, "manifest": ",{}"}[name]+"x")
		})
	}
	load("registry with pages of tags in a circle", charts.LoadOptions{}, "oci://HOST/team/web", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<`+r.URL.Path+`?n=`+fmt.Sprint(time.Now().UnixNano())+`>; rel="next"`)
		io.WriteString(w, `{"name":"team/web","tags":["`+strings.Repeat("x", 1000)+`"]}`)
	})
	load("registry with a layer that is larger than it says", charts.LoadOptions{}, "oci://HOST/team/web:1.0.0", func(w http.ResponseWriter, r *http.Request) {
		digest := "sha256:" + strings.Repeat("0", 64)
		if strings.Contains(r.URL.Path, "/blobs/") {
			endless(w, "x")
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		fmt.Fprintf(w, `{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":%q,"size":9223372036854775807},"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":%q,"size":9223372036854775807}]}`, digest, digest)
	})
	SortCases(cases)
	return cases
}
