//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// The built-in charts, and those of Helm's own tests, give the same manifests and
// the same errors as in process.
func TestEqualToRenderingInProcess(t *testing.T) {
	p := open(t, Options{Children: 2})
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	helm := strings.TrimSpace(string(out))
	count := map[string]int{}
	for _, root := range []string{filepath.Join("..", "..", "charts"), filepath.Join(helm, "pkg"), filepath.Join(helm, "cmd")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "Chart.yaml":
				compare(t, p, filepath.Dir(path), count)
			case strings.HasSuffix(path, ".tgz"):
				compare(t, p, path, count)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log(count)
	if count["same"] < 60 || count["same error"] < 10 {
		t.Errorf("only %v", count)
	}
}

// compare renders a chart on both sides.
func compare(t *testing.T, p *Pool, path string, count map[string]int) {
	t.Helper()
	in := render.Input{Name: "demo", Namespace: "prod"}
	var chart *render.Chart
	var source *Source
	var err, sandboxErr error
	if strings.HasSuffix(path, ".tgz") {
		archive, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		chart, err = render.LoadArchive(bytes.NewReader(archive))
		source, sandboxErr = p.LoadArchive(t.Context(), bytes.NewReader(archive))
	} else {
		chart, err = render.LoadFS(os.DirFS(path))
		source, sandboxErr = p.LoadFS(t.Context(), os.DirFS(path))
	}
	if err != nil || sandboxErr != nil {
		sameError(t, path, err, sandboxErr)
		count["same error"]++
		return
	}
	want, err := chart.Render(t.Context(), in)
	got, sandboxErr := source.Render(t.Context(), in)
	if err != nil || sandboxErr != nil {
		sameError(t, path, err, sandboxErr)
		count["same error"]++
		return
	}
	again, err := chart.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(want.Files) != fmt.Sprint(again.Files) {
		count["random"]++
		return
	}
	t.Run(filepath.Base(path), func(t *testing.T) { same(t, want, got) })
	count["same"]++
}

func sameError(t *testing.T, path string, want, got error) {
	t.Helper()
	if want == nil || got == nil || want.Error() != got.Error() || fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		t.Errorf("%s: error %T %v, want %T %v", path, got, got, want, want)
	}
}

// Text that is not UTF-8 crosses as it is.
func TestNotesNeedNotBeUTF8(t *testing.T) {
	fsys := chartFS(good)
	fsys["templates/NOTES.txt"] = &fstest.MapFile{Data: []byte("\xff\xfe")}
	s, err := open(t, Options{Children: 1}).LoadFS(t.Context(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Render(t.Context(), render.Input{Name: "shop"})
	if err != nil || m.Notes != "\xff\xfe" {
		t.Errorf("%q, %v", m.Notes, err)
	}
}

func TestManifestsAndKustomization(t *testing.T) {
	p := open(t, Options{Children: 1})
	files := fstest.MapFS{
		"a/x.yaml":             {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")},
		"a/kustomization.yaml": {Data: []byte("resources: [x.yaml]\nnamePrefix: p-\n")},
	}
	in := render.Input{Name: "demo"}
	k, err := render.LoadKustomization(files, "a")
	if err != nil {
		t.Fatal(err)
	}
	want, err := k.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.LoadKustomization(t.Context(), files, "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, got)

	delete(files, "a/kustomization.yaml")
	plain, err := render.LoadManifests(files)
	if err != nil {
		t.Fatal(err)
	}
	if want, err = plain.Render(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if s, err = p.LoadManifests(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Render(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	same(t, want, got)
	if _, err := s.PostRender(t.Context(), want.Objects); err == nil {
		t.Error("manifests are no post-renderer")
	}
}

// BenchmarkRender renders a chart of 40 templates, loaded before, in a child and in
// process.
func BenchmarkRender(b *testing.B) {
	fsys := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: forty\nversion: 1.0.0\n")}}
	for i := range 40 {
		fsys[fmt.Sprintf("templates/t%02d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, fortieth, i)}
	}
	in := render.Input{Name: "demo"}
	chart, err := render.LoadFS(fsys)
	if err != nil {
		b.Fatal(err)
	}
	p := open(b, Options{Children: 1})
	s, err := p.LoadFS(b.Context(), fsys)
	if err != nil {
		b.Fatal(err)
	}
	for name, source := range map[string]loadedSource{"process": chart, "sandbox": s} {
		b.Run(name, func(b *testing.B) {
			before := processorTimeOfBoth(b, p)
			for b.Loop() {
				if _, err := source.Render(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTimeOfBoth(b, p)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTimeOfBoth is what parent and child have used: a busy machine does not
// count.
func processorTimeOfBoth(b *testing.B, p *Pool) (nanoseconds int64) {
	w := <-p.free
	defer func() { p.free <- w }()
	for _, pid := range []int{os.Getpid(), w.cmd.Process.Pid} {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			b.Fatal(err)
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			var used int64
			if _, err := fmt.Sscan(string(text), &used); err != nil {
				b.Fatal(err)
			}
			nanoseconds += used
		}
	}
	return nanoseconds
}

const fortieth = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-%d
  labels: {{- dict "app" .Chart.Name "release" .Release.Name | toYaml | nindent 4 }}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      {{- range until 2 }}
      - name: c{{ . }}
        image: {{ printf "registry.example.com/web-%%d" . }}
        env:
        {{- range until 5 }}
        - {name: V{{ . }}, value: {{ . | quote }}}
        {{- end }}
        resources:
          limits: {cpu: 100m, memory: 128Mi}
      {{- end }}
`
