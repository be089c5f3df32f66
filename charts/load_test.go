package charts

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
	"helm.sh/helm/v3/pkg/chartutil"
)

// pack packages the chart webapp with Helm, as a user would, and returns the path of the archive.
func pack(t *testing.T) string {
	t.Helper()
	path, err := chartutil.Save(helmChart(t, "webapp"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	archive := pack(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			http.ServeFile(w, r, archive)
		case r.URL.Path == "/index.yaml":
			w.Write([]byte("entries: {webapp: [{version: 0.1.0, urls: [webapp-0.1.0.tgz]}]}"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	https := LoadOptions{Transport: server.Client().Transport}
	fromRepository := https
	fromRepository.Repository = server.URL
	tests := map[string]struct {
		ref  string
		opts LoadOptions
	}{
		"directory":  {"webapp", LoadOptions{}},
		"archive":    {archive, LoadOptions{}},
		"address":    {server.URL + "/webapp-0.1.0.tgz", https},
		"repository": {"webapp", fromRepository},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			chart, err := Load(t.Context(), test.ref, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := chart.Render(t.Context(), render.Input{Name: "shop"})
			if err != nil || len(manifest.Objects) != 3 {
				t.Errorf("%d objects, %v", len(manifest.Objects), err)
			}
		})
	}

	_, err := Load(t.Context(), "webapp", with(fromRepository, "9.x"))
	if !errors.Is(err, ErrNoVersion) || !strings.Contains(err.Error(), "named exactly") {
		t.Errorf("a version that is not there: %v", err)
	}
}

func with(opts LoadOptions, version string) LoadOptions {
	opts.Version = version
	return opts
}

func TestLoadRefuses(t *testing.T) {
	empty := t.TempDir()
	noArchive := filepath.Join(empty, "chart.tgz")
	if err := os.WriteFile(noArchive, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ref  string
		is   error
		says string
	}{
		"nothing there":      {"no/such/chart", fs.ErrNotExist, "write a directory"},
		"an unknown scheme":  {"git://host/chart", ErrUnknownRef, "oci://host/path"},
		"plain http":         {"http://user:pass@localhost/chart.tgz", nil, "http://user:xxxxx@localhost/chart.tgz: "},
		"an empty directory": {empty, nil, empty},
		"no archive":         {noArchive, nil, noArchive},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(t.Context(), test.ref, LoadOptions{})
			var failure *LoadError
			if !errors.As(err, &failure) {
				t.Fatalf("%v is no *LoadError", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "pass@") {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, "webapp", LoadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
