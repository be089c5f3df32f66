//go:build unix

package charts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/render"
	helmchart "helm.sh/helm/v3/pkg/chart"
)

// link makes a symbolic link.
func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

// What is no regular file is refused at once, whether it would block, never end, or lead elsewhere.
func TestLocalFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.tgz")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	withChart := func(name string, change func(shop string)) string {
		shop := filepath.Join(dir, name)
		writeFiles(t, shop, map[string]string{"Chart.yaml": chartYAML(t, "shop", nil), "templates/cm.yaml": configMap})
		change(shop)
		return shop
	}
	for name, ref := range map[string]string{
		"device":       "/dev/zero",
		"pipe":         pipe,
		"device below": withChart("a", func(shop string) { link(t, "/dev/zero", filepath.Join(shop, "values.yaml")) }),
		"helmignore":   withChart("b", func(shop string) { link(t, "/dev/zero", filepath.Join(shop, ".helmignore")) }),
		"pipe as helmignore": withChart("c", func(shop string) {
			if err := syscall.Mkfifo(filepath.Join(shop, ".helmignore"), 0o600); err != nil {
				t.Fatal(err)
			}
		}),
		"pipe below": withChart("d", func(shop string) {
			if err := syscall.Mkfifo(filepath.Join(shop, "templates", "x.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
		}),
		"link outside": withChart("e", func(shop string) { link(t, "/etc/hostname", filepath.Join(shop, "README.md")) }),
	} {
		for _, opts := range []LoadOptions{{}, {LinkRoot: dir}} {
			begin := time.Now()
			_, err := Load(t.Context(), ref, opts)
			var failure *LoadError
			if !errors.As(err, &failure) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("%s took %s", name, took)
			}
		}
	}
}

func TestLocalArchivesAreBounded(t *testing.T) {
	dir := t.TempDir()
	archive := newPacked(t, "shop", "1.0.0")
	writeFiles(t, dir, map[string]string{archive.file(): string(archive.data)})
	_, err := Load(t.Context(), filepath.Join(dir, archive.file()), LoadOptions{Limits: render.Limits{ArchiveBytes: 10}})
	var limit *render.LimitError
	if !errors.As(err, &limit) || limit.Limit != "ArchiveBytes" {
		t.Errorf("%v", err)
	}
	writeFiles(t, dir, map[string]string{"shop/Chart.yaml": chartYAML(t, "shop", nil), "shop/values.yaml": "a: 1234567890\n"})
	if _, err = Load(t.Context(), filepath.Join(dir, "shop"), LoadOptions{Limits: render.Limits{FileBytes: 8}}); !errors.As(err, &limit) || limit.Limit != "FileBytes" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, filepath.Join(dir, "shop"), LoadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Load(t.Context(), filepath.Join(dir, "shop"), LoadOptions{}); err != nil {
		t.Error(err)
	}
}

// A chart of a checkout may have links to what lies beside it, as those of Rook do, once the caller names the checkout.
func TestLinksInsideTheCheckout(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"checkout/charts/shop/Chart.yaml": chartYAML(t, "shop", nil), "checkout/charts/shop/templates/cm.yaml": configMap,
		"checkout/library/Chart.yaml": chartYAML(t, "lib", nil), "checkout/library/templates/cm.yaml": configMap,
		"checkout/README.md": "read me", "other/Chart.yaml": chartYAML(t, "other", nil), "other/templates/cm.yaml": configMap,
	})
	checkout := filepath.Join(dir, "checkout")
	shop := filepath.Join(checkout, "charts", "shop")
	link(t, "../../../library", filepath.Join(shop, "charts", "lib"))
	link(t, "../../README.md", filepath.Join(shop, "README.md"))
	opts := LoadOptions{LinkRoot: checkout}
	if got := rendered(t, shop, opts); strings.Join(got, " ") != "lib-1.0.0 shop-1.0.0" {
		t.Errorf("%q", got)
	}
	wantRefused(t, shop, LoadOptions{}, nil, "LoadOptions.LinkRoot")
	wantRefused(t, shop, LoadOptions{LinkRoot: shop}, nil, "link")
	wantRefused(t, filepath.Join(dir, "other"), opts, nil, "not below LoadOptions.LinkRoot")
	link(t, "../../../other", filepath.Join(shop, "charts", "other"))
	wantRefused(t, shop, opts, nil, "charts/other")
	if err := os.Remove(filepath.Join(shop, "charts", "other")); err != nil {
		t.Fatal(err)
	}
	link(t, "..", filepath.Join(shop, "templates", "circle"))
	wantRefused(t, shop, opts, nil, "leads to a folder that it lies in")
}

// A chart reaches no other directory by a dependency, unless the caller names it.
func TestDependenciesStayInside(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"tenant/Chart.yaml": chartYAML(t, "tenant", nil), "tenant/templates/cm.yaml": configMap, "tenant/values.yaml": "secret: yes\n"}
	for name, repository := range map[string]string{
		"above": "file://../tenant", "absolute": "file://" + filepath.Join(dir, "tenant"), "device": "file:///dev/zero", "inside": "file://./tenant", "link": "file://./link",
	} {
		dep := []*helmchart.Dependency{{Name: "tenant", Version: "*", Repository: repository}}
		files[name+"/Chart.yaml"], files[name+"/templates/cm.yaml"] = chartYAML(t, name, dep), configMap
	}
	files["inside/.helmignore"] = "tenant\n"
	files["inside/tenant/Chart.yaml"], files["inside/tenant/templates/cm.yaml"] = files["tenant/Chart.yaml"], configMap
	files["link/.helmignore"] = "link\n"
	writeFiles(t, dir, files)
	link(t, "../tenant", filepath.Join(dir, "link", "link"))
	opts := LoadOptions{Dependencies: true}
	for _, name := range []string{"above", "absolute", "device"} {
		wantRefused(t, filepath.Join(dir, name), opts, ErrOutside, "DependencyRoots")
	}
	wantRefused(t, filepath.Join(dir, "link"), opts, nil, "escapes")
	if got := rendered(t, filepath.Join(dir, "inside"), opts); strings.Join(got, " ") != "inside-1.0.0 tenant-1.0.0" {
		t.Errorf("%q", got)
	}
	opts.DependencyRoots = []string{filepath.Join(dir, "tenant")}
	for _, name := range []string{"above", "absolute"} {
		if got := rendered(t, filepath.Join(dir, name), opts); strings.Join(got, " ") != name+"-1.0.0 tenant-1.0.0" {
			t.Errorf("%s: %q", name, got)
		}
	}
	opts.DependencySchemes = []string{"oci"}
	wantRefused(t, filepath.Join(dir, "above"), opts, ErrOutside, "scheme file")
}
