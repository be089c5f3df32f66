//go:build linux

package hostile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
)

// TestArchives loads packed charts.
func TestArchives(t *testing.T) { Run(t, archives()) }

func archives() []Case {
	var cases []Case
	add := func(name string, write func(w *tar.Writer)) {
		cases = append(cases, Case{Name: name, Run: func(ctx context.Context) error {
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			w := tar.NewWriter(zip)
			file(w, "web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")
			write(w)
			_ = w.Close() // some are broken
			if err := zip.Close(); err != nil {
				return err
			}
			chart, err := render.LoadArchive(&packed)
			if err != nil {
				return err
			}
			_, err = chart.Render(ctx, render.Input{Name: "demo"})
			return err
		}})
	}
	add("large file", func(w *tar.Writer) { zeros(w, "web/x", 1<<30) })
	add("many large files", func(w *tar.Writer) {
		for i := range 40 {
			zeros(w, fmt.Sprint("web/x", i), 5<<20)
		}
	})
	add("size that is not there", func(w *tar.Writer) {
		_ = w.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeReg, Size: 5 << 20})
	})
	add("sizes that are not there", func(w *tar.Writer) {
		for i := range 20_000 {
			_ = w.WriteHeader(&tar.Header{Name: fmt.Sprint("web/x", i), Typeflag: tar.TypeReg, Size: 5 << 20})
		}
	})
	add("many files", func(w *tar.Writer) {
		for i := range 300_000 {
			file(w, fmt.Sprint("web/", i), "")
		}
	})
	add("many folders", func(w *tar.Writer) {
		for i := range 300_000 {
			_ = w.WriteHeader(&tar.Header{Name: fmt.Sprint("web/", i, "/"), Typeflag: tar.TypeDir})
		}
	})
	add("many headers", func(w *tar.Writer) {
		for range 300_000 {
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"a": "b"}})
		}
	})
	add("large header", func(w *tar.Writer) {
		_ = w.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"A.b": strings.Repeat("x", 1<<20)}})
	})
	add("large headers", func(w *tar.Writer) {
		for range 1000 {
			_ = w.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"A.b": strings.Repeat("x", 1<<20)}})
		}
	})
	add("long name", func(w *tar.Writer) { file(w, "web/"+strings.Repeat("a/", 400_000)+"x", "") })
	add("long names", func(w *tar.Writer) {
		for i := range 2000 {
			file(w, fmt.Sprint("web/", i, strings.Repeat("/a", 10_000)), "")
		}
	})
	add("sparse file", func(w *tar.Writer) {
		_ = w.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeGNUSparse, Size: 1 << 40, Format: tar.FormatGNU})
	})
	add("sparse file in records", func(w *tar.Writer) {
		_ = w.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1099511627776", "GNU.sparse.name": "web/y"}})
	})
	for name, kind := range map[string]byte{"link": tar.TypeSymlink, "hard link": tar.TypeLink, "device": tar.TypeChar, "pipe": tar.TypeFifo} {
		add(name, func(w *tar.Writer) {
			_ = w.WriteHeader(&tar.Header{Name: "web/values.yaml", Typeflag: kind, Linkname: "/dev/zero"})
		})
	}
	add("one file twice", func(w *tar.Writer) {
		for range 2000 {
			file(w, "web/templates/x.yaml", strings.Repeat("# x\n", 10_000))
		}
	})
	add("Chart.yaml many times", func(w *tar.Writer) {
		for range 10_000 {
			file(w, "web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")
		}
	})
	add("values.yaml many times", func(w *tar.Writer) {
		for range 3000 {
			file(w, "web/values.yaml", "a: ["+strings.Repeat("a,", 1000)+"]\n")
		}
	})
	add("packed charts inside of each other", func(w *tar.Writer) {
		inner := []byte{}
		for range 40 {
			var b bytes.Buffer
			zip := gzip.NewWriter(&b)
			t := tar.NewWriter(zip)
			file(t, "s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n")
			file(t, "s/charts/s.tgz", string(inner))
			_ = t.Close()
			_ = zip.Close()
			inner = b.Bytes()
		}
		file(w, "web/charts/s.tgz", string(inner))
	})
	add("packed bombs", func(w *tar.Writer) {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		_, _ = io.CopyN(zip, endlessZeros{}, 200<<20)
		_ = zip.Close()
		for i := range 50 {
			file(w, fmt.Sprintf("web/charts/s%d.tgz", i), b.String())
		}
	})
	ignore := func(name, pattern string, n int) {
		cases = append(cases, Case{Name: ".helmignore with " + name, Run: func(ctx context.Context) error {
			files := map[string]string{".helmignore": strings.Repeat(pattern+"\n", n)}
			for i := range 2000 {
				files[fmt.Sprintf("%s/%d.txt", strings.Repeat("a", 200), i)] = ""
			}
			return RenderChart(ctx, files)
		}})
	}
	ignore("many patterns", "x*y*z", 500_000)
	ignore("many wildcards", strings.Repeat("*a", 100)+"b", 2000)
	ignore("a long pattern", strings.Repeat("[a-z]", 900_000), 1)
	ignore("many classes", strings.Repeat("[a-z]", 200), 4000)
	ignore("paths", "/"+strings.Repeat("a*/", 500), 3000)
	SortCases(cases)
	return cases
}

func file(w *tar.Writer, name, text string) {
	_ = w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
	_, _ = io.WriteString(w, text)
}

func zeros(w *tar.Writer, name string, size int64) {
	_ = w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size})
	_, _ = io.CopyN(w, endlessZeros{}, size)
}

type endlessZeros struct{}

func (endlessZeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
