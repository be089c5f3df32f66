package charts

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// packed is a small chart, packaged by Helm: NAME-VERSION.tgz and its bytes. Its one template names it.
type packed struct {
	name, version string
	data          []byte
}

func (p packed) file() string { return p.name + "-" + p.version + ".tgz" }

func newPacked(t *testing.T, name, version string, dependencies ...*helmchart.Dependency) packed {
	t.Helper()
	c := &helmchart.Chart{
		Metadata: &helmchart.Metadata{APIVersion: "v2", Name: name, Version: version, Dependencies: dependencies},
		Templates: []*helmchart.File{{
			Name: "templates/configmap.yaml",
			Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}-{{ .Chart.Version }}}\n"),
		}},
	}
	path, err := chartutil.Save(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return packed{name, version, []byte(read(t, path))}
}

// webServer is a real HTTP server over TLS that counts what it is asked and can ask for a login.
type webServer struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string][]byte
	handle   map[string]http.HandlerFunc // in place of a file
	user     string                      // user:password that is wanted; "": anyone may read
	requests []string                    // METHOD PATH STATUS
	logins   []string                    // whatever came as Authorization
}

func newWebServer(t *testing.T) *webServer {
	t.Helper()
	w := &webServer{files: map[string][]byte{}, handle: map[string]http.HandlerFunc{}}
	w.Server = httptest.NewUnstartedServer(w)
	w.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.StartTLS()
	t.Cleanup(w.Close)
	return w
}

func (w *webServer) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if login := r.Header.Get("Authorization"); login != "" {
		w.logins = append(w.logins, login)
	}
	data, ok := w.files[r.URL.Path]
	handle, wanted := w.handle[r.URL.Path], w.user
	w.mu.Unlock()
	recorder := &statusRecorder{ResponseWriter: out, status: http.StatusOK}
	user, password, _ := r.BasicAuth()
	switch {
	case wanted != "" && user+":"+password != wanted:
		http.Error(recorder, "who are you?", http.StatusUnauthorized)
	case handle != nil:
		handle(recorder, r)
	case !ok:
		http.NotFound(recorder, r)
	default:
		recorder.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeContent(recorder, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(data))
	}
	w.mu.Lock()
	w.requests = append(w.requests, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, recorder.status))
	w.mu.Unlock()
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// asked returns, and forgets, what was requested.
func (w *webServer) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.requests
	w.requests = nil
	return asked
}

// sent returns the logins that came.
func (w *webServer) sent() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.logins)
}

// wantLogin refuses all but user:password; "" lets anyone in.
func (w *webServer) wantLogin(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.user = user
}

// on serves a path by a function in place of a file.
func (w *webServer) on(path string, handle http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handle[path] = handle
}

func (w *webServer) put(name string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[name] = data
}

// publish writes charts and an index of them, with digests, under a folder.
func (w *webServer) publish(t *testing.T, folder string, charts ...packed) {
	t.Helper()
	entries := map[string][]map[string]any{}
	for _, c := range charts {
		w.put(folder+"/"+c.file(), c.data)
		entries[c.name] = append(entries[c.name], map[string]any{
			"name": c.name, "version": c.version, "urls": []string{c.file()}, "digest": fmt.Sprintf("%x", sha256.Sum256(c.data)),
		})
	}
	data, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	w.put(folder+"/index.yaml", data)
}

// ociServer is a real registry behind a webServer, which counts, refuses and falsifies.
type ociServer struct{ *webServer }

func newOCIServer(t *testing.T) *ociServer {
	t.Helper()
	s := &ociServer{newWebServer(t)}
	content := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		own, wanted := s.handle[r.URL.Path] != nil, s.user
		s.mu.Unlock()
		if own || wanted != "" && r.Header.Get("Authorization") == "" {
			if !own {
				w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			}
			inner.ServeHTTP(w, r)
			return
		}
		if user, password, _ := r.BasicAuth(); wanted != "" && user+":"+password != wanted {
			inner.ServeHTTP(w, r)
			return
		}
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		content.ServeHTTP(recorder, r)
		s.mu.Lock()
		s.requests = append(s.requests, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, recorder.status))
		s.mu.Unlock()
	})
	return s
}

func (s *ociServer) host() string { return strings.TrimPrefix(s.URL, "https://") }

// push publishes a chart, with its provenance if there is one, and returns the digests of manifest and chart.
func (s *ociServer) push(t *testing.T, repository string, c packed, tag string, provenance []byte) (manifestDigest, chartDigest string) {
	t.Helper()
	put := func(method, address, contentType string, body []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		user, password, _ := strings.Cut(s.user, ":")
		req.SetBasicAuth(user, password)
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: %s", method, address, resp.Status)
		}
	}
	blob := func(mediaType string, data []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		put(http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+d.Digest.String(), "application/octet-stream", data)
		return d
	}
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: blob("application/vnd.cncf.helm.config.v1+json", []byte(`{"name":"`+c.name+`"}`)),
		Layers: []ocispec.Descriptor{blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", c.data)},
	}
	if provenance != nil {
		manifest.Layers = append(manifest.Layers, blob("application/vnd.cncf.helm.chart.provenance.v1.prov", provenance))
	}
	data, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(http.MethodPut, "/v2/"+repository+"/manifests/"+cmp.Or(tag, c.version), ocispec.MediaTypeImageManifest, data)
	s.asked()
	return digest.FromBytes(data).String(), manifest.Layers[0].Digest.String()
}

// trusting is the transport of a client that knows the certificates of all test servers, which are the same one.
func trusting(s *webServer) http.RoundTripper { return s.Client().Transport }

// writeFiles writes a folder of text files.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
