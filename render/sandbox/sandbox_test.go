//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead-dev/fairlead/render"
)

func TestMain(m *testing.M) {
	Main()
	log.SetOutput(io.Discard) // Helm's packages log warnings
	os.Exit(m.Run())
}

func open(t testing.TB, options Options) *Pool {
	t.Helper()
	options.BestEffort = true // where the tests run in a container
	p, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func chartFS(template string) fstest.MapFS {
	return fstest.MapFS{
		"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"templates/x.yaml": {Data: []byte(template)},
	}
}

const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"

func source(t testing.TB, p *Pool, template string) *Source {
	t.Helper()
	s, err := p.LoadFS(t.Context(), chartFS(template))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func renderGood(t *testing.T, s *Source, name string) {
	t.Helper()
	m, err := s.Render(t.Context(), render.Input{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(good, "{{ .Release.Name }}", name); m.Files["web/templates/x.yaml"] != want {
		t.Errorf("%q, want %q", m.Files["web/templates/x.yaml"], want)
	}
}

// die returns a template that runs until a limit of the process ends it, because
// all limits of the renderer are off.
func die(t *testing.T, p *Pool, template string, limits ...string) {
	t.Helper()
	s := source(t, p, template)
	_, err := s.Render(t.Context(), render.Input{Name: "shop", Limits: render.Limits{
		OutputBytes: -1, TemplateDepth: -1, MemoryBytes: -1, Documents: -1, DocumentDepth: -1, ResultBytes: -1, Steps: -1, Time: -1,
	}})
	var at *render.LimitError
	if !errors.As(err, &at) || !slices.Contains(limits, at.Limit) {
		t.Errorf("error %v, want one of the limits %q", err, limits)
		return
	}
	t.Log(err)
	if e := new(render.Error); !errors.As(err, &e) || e.Op != "render" {
		t.Errorf("%#v", err)
	}
}

func TestMemory(t *testing.T) {
	needsAddressSpace(t)
	p := open(t, Options{Children: 1, MemoryBytes: minMemory})
	calm := source(t, p, good)
	die(t, p, `{{ $l := list }}{{ range until 2000 }}{{ $l = append $l (repeat 1000000 (printf "%d " .)) }}{{ end }}`, LimitMemory)
	renderGood(t, calm, "after")
	die(t, p, `{{ repeat 2000000000 "x" }}`, LimitMemory)
	renderGood(t, calm, "after")
}

func TestProcessorTime(t *testing.T) {
	p := open(t, Options{Children: 1, CPUTime: time.Second})
	die(t, p, `{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}`, LimitCPU)
	renderGood(t, source(t, p, good), "after")
}

// The time of one call is not that of those before it.
func TestProcessorTimeCountsForEachCall(t *testing.T) {
	p := open(t, Options{Children: 1, CPUTime: 3 * time.Second})
	s := source(t, p, `{{ range until 1000 }}{{ range until 300 }}{{ end }}{{ end }}`)
	for begin, i := processorTimeOfChildren(), 0; i < 200 && processorTimeOfChildren()-begin < 4*time.Second; i++ {
		if _, err := s.Render(t.Context(), render.Input{Name: "shop"}); err != nil {
			t.Fatalf("render %d: %v", i, err)
		}
	}
}

func processorTimeOfChildren() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestStack(t *testing.T) {
	needsAddressSpace(t)
	p := open(t, Options{Children: 1, MemoryBytes: minMemory})
	calm := source(t, p, good)
	die(t, p, `{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ template "c" . }}{{ end }}{{ define "c" }}{{ template "c" . }}{{ end }}{{ include "a" . }}`, LimitStack, LimitMemory) // whichever the stack meets first
	renderGood(t, calm, "after")

	// Within the default limits, templates nest as deep as in process.
	deep := source(t, p, `{{ define "c" }}{{ if true }}{{ range list 1 }}{{ template "c" . }}{{ end }}{{ end }}{{ end }}{{ template "c" . }}`)
	_, err := deep.Render(t.Context(), render.Input{Name: "shop"})
	var limit *render.LimitError
	if !errors.As(err, &limit) || limit.Limit != "TemplateDepth" {
		t.Errorf("error %v", err)
	}
}

func TestResultIsBounded(t *testing.T) {
	p := open(t, Options{Children: 1, ResultBytes: 1 << 16})
	die(t, p, `# {{ repeat 100000 "x" }}`, LimitResult)
	renderGood(t, source(t, p, good), "after")
}

// kill kills the child that is free.
func kill(t *testing.T, p *Pool) {
	t.Helper()
	w := <-p.free
	w.kill()
	<-w.ended
	p.free <- w
}

func TestKilledBetweenRenders(t *testing.T) {
	p := open(t, Options{Children: 1})
	s := source(t, p, good)
	renderGood(t, s, "before")
	kill(t, p)
	renderGood(t, s, "after")
}

func TestKilledInTheMiddle(t *testing.T) {
	p := open(t, Options{Children: 1})
	s := source(t, p, `{{ lookup "v1" "Secret" "" "" }}`)
	in := render.Input{Name: "shop", Lookup: func(context.Context, string, string, string, string) (map[string]any, error) {
		p.spawn.mu.Lock()
		defer p.spawn.mu.Unlock()
		for w := range p.spawn.alive {
			if err := syscall.Kill(w.cmd.Process.Pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
		return nil, nil
	}}
	_, err := s.Render(t.Context(), in)
	var limit *render.LimitError
	if !errors.As(err, &limit) || limit.Limit != LimitProcess {
		t.Errorf("error %v", err)
	}
	renderGood(t, source(t, p, good), "after")
}

func TestLookup(t *testing.T) {
	p := open(t, Options{Children: 1})
	s := source(t, p, `# {{ (lookup "v1" "Secret" "ns" "s").data.n }} {{ kindOf (lookup "v1" "Secret" "ns" "s").data.n }} {{ len (lookup "v1" "Secret" "ns" "none") }}`)
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	asked := 0
	lookup := func(ctx context.Context, apiVersion, kind, namespace, name string) (map[string]any, error) {
		if asked++; ctx.Value(key{}) != "value" {
			t.Error("not the caller's context")
		}
		if name == "none" {
			return nil, nil
		}
		return map[string]any{"data": map[string]any{"n": int64(1) << 60}}, nil
	}
	m, err := s.Render(ctx, render.Input{Name: "shop", Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Files["web/templates/x.yaml"]; got != "# 1152921504606846976 int64 0" || asked != 3 {
		t.Errorf("%q after %d lookups", got, asked)
	}
	own := errors.New("not allowed")
	_, err = s.Render(ctx, render.Input{Name: "shop", Lookup: func(context.Context, string, string, string, string) (map[string]any, error) { return nil, own }})
	if !errors.Is(err, own) {
		t.Errorf("error %v is not the caller's", err)
	}
}

func TestCancel(t *testing.T) {
	p := open(t, Options{Children: 1})
	calm := source(t, p, good)
	s := source(t, p, `{{ lookup "v1" "Secret" "" "" }}{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}`)
	ctx, cancel := context.WithCancel(t.Context())
	in := render.Input{Name: "shop", Limits: render.Limits{Steps: -1, Time: -1}, Lookup: func(context.Context, string, string, string, string) (map[string]any, error) {
		cancel() // and the child goes on by itself
		return nil, nil
	}}
	if _, err := s.Render(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Render(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	renderGood(t, calm, "after")
	_, err := s.Render(t.Context(), render.Input{Name: "shop", Limits: render.Limits{Steps: -1, Time: 200 * time.Millisecond}})
	var limit *render.LimitError
	if !errors.As(err, &limit) || limit.Limit != "Time" {
		t.Errorf("error %v", err)
	}
	renderGood(t, calm, "after")
}

func TestManyRenders(t *testing.T) {
	p := open(t, Options{Children: 2})
	s := source(t, p, good)
	bad := source(t, p, `{{ define "c" }}{{ template "c" . }}{{ end }}{{ template "c" . }}`)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { renderGood(t, s, "r"+strconv.Itoa(i)) })
	}
	wait.Go(func() {
		if _, err := bad.Render(t.Context(), render.Input{Name: "bad", Limits: render.Limits{TemplateDepth: -1, Steps: -1, Time: -1, MemoryBytes: -1}}); err == nil {
			t.Error("no error")
		}
	})
	wait.Wait()
}

func TestClose(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	// What the runtime opens once is open after the first pool.
	var before, after int
	for i := range 2 {
		p := open(t, Options{Children: 2})
		s := source(t, p, good)
		renderGood(t, s, "shop")
		kill(t, p)
		renderGood(t, s, "shop")
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Render(t.Context(), render.Input{Name: "shop"}); !errors.Is(err, errClosed) {
			t.Errorf("error %v", err)
		}
		before, after = after, descriptors()
		// Where the kernel refuses a namespace, package syscall leaves a pipe open.
		refused := strings.Contains(strings.Join(p.Missing(), ","), missingNamespace)
		if i == 1 && before != after && !(refused && before+2 == after) {
			t.Errorf("%d descriptors, before %d", after, before)
		}
	}
	for _, stat := range matches(t, "/proc/[0-9]*/stat") {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			t.Errorf("a child is left: %s", text)
		}
	}
}

func matches(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The child's process is looked at from outside, where the kernel says what holds.
func TestConfined(t *testing.T) {
	// A descriptor that is left open for the programs that this one starts.
	left, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(left)
	p := open(t, Options{Children: 1})
	w := <-p.free
	defer func() { p.free <- w }()
	proc := "/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/"
	read := func(name string) string {
		text, err := os.ReadFile(proc + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if env := read("environ"); env != "" {
		t.Errorf("environment %q", env)
	}
	if cwd, err := os.Readlink(proc + "cwd"); err != nil || cwd != "/" {
		t.Errorf("working directory %q, %v", cwd, err)
	}
	for _, fd := range matches(t, proc+"fd/*") {
		to, err := os.Readlink(fd)
		if err != nil {
			t.Fatal(err)
		}
		// The Go runtime has opened the others: to wait for pipes, and to learn how many processors it has.
		if !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") && !strings.HasSuffix(to, "/cgroup") {
			t.Errorf("descriptor %s is %s", fd, to)
		}
	}
	limits := strings.Join(strings.Fields(read("limits")), " ")
	for _, want := range []string{"Max core file size 0 0", "Max file size 0 0", "Max open files 64 64"} {
		if !strings.Contains(limits, want) {
			t.Errorf("limits %s, want %s", limits, want)
		}
	}
	if strings.Contains(limits, "Max address space unlimited") || strings.Contains(limits, "Max cpu time unlimited") {
		t.Errorf("limits %s", limits)
	}
	missing := strings.Join(p.Missing(), ",")
	for _, task := range matches(t, proc+"task/*/status") {
		text, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		status := strings.Join(strings.Fields(string(text)), " ")
		if !strings.Contains(missing, missingFilter) && (!strings.Contains(status, "NoNewPrivs: 1") || !strings.Contains(status, "Seccomp: 2")) {
			t.Errorf("%s: %s", task, status)
		}
	}
	if !strings.Contains(missing, missingNamespace) {
		own, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if its, err := os.Readlink(proc + "ns/net"); err != nil || its == own {
			t.Errorf("network namespace %q, %v", its, err)
		}
		if text := read("status"); !strings.Contains(text, "CapEff:\t0000000000000000") {
			t.Errorf("capabilities: %s", text)
		}
		if !strings.Contains(missing, missingThreads) && !strings.Contains(limits, "Max processes 64 64") {
			t.Errorf("limits %s", limits)
		}
	}
	t.Logf("missing: %q", missing)
}

func TestPostRenderInTheParent(t *testing.T) {
	p := open(t, Options{Children: 1})
	s := source(t, p, good)
	overlay := fstest.MapFS{"o/kustomization.yaml": {Data: []byte("namePrefix: prod-\ncommonAnnotations: {a: b}\n")}}
	k, err := p.LoadKustomization(t.Context(), overlay, "o")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	note := render.PostRenderFunc(func(_ context.Context, objects []render.Object) ([]render.Object, error) {
		seen = append(seen, objects[0].GetName())
		return objects, nil
	})
	m, err := s.Render(t.Context(), render.Input{Name: "shop", PostRender: []render.PostRenderer{note, k, note}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shop", "prod-shop"}, seen); diff != "" {
		t.Error(diff)
	}
	chart, err := render.LoadFS(chartFS(good))
	if err != nil {
		t.Fatal(err)
	}
	want, err := chart.Render(t.Context(), render.Input{Name: "shop", PostRender: []render.PostRenderer{render.Kustomize(overlay, "o")}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, m)
}

func same(t *testing.T, want, got *render.Manifest) {
	t.Helper()
	wantText, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	gotText, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(wantText, gotText) {
		t.Errorf("manifests differ: %s", cmp.Diff(string(wantText), string(gotText)))
	}
	for i, o := range want.Objects {
		if diff := cmp.Diff(o.Object, got.Objects[i].Object); diff != "" {
			t.Errorf("%s: %s", o.ID(), diff)
		}
	}
	if diff := cmp.Diff(want.Files, got.Files); diff != "" {
		t.Error(diff)
	}
}

// needsAddressSpace skips a test of the smallest children under the race
// detector, which itself needs more address space than they have.
func needsAddressSpace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector does not fit into the child")
	}
}

// A seed and a time reach the child.
func TestSeedInAChild(t *testing.T) {
	pool := open(t, Options{Children: 1})
	source, err := pool.LoadFS(t.Context(), chartFS("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '{{ randAlpha 20 }} {{ now }} {{ (genCA \"a\" 5).Cert | sha256sum }}'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 6, 7, 8, 9, 10, time.UTC)
	in := render.Input{Name: "demo", Seed: render.NewSeed([]byte("secret"), at), Now: at.Add(time.Hour)}
	first, err := source.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := source.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	fetched := 0
	in.Seed = render.FetchSeed(func(context.Context) (render.Seed, error) {
		fetched++
		return render.NewSeed([]byte("secret"), at), nil
	})
	third, err := source.Render(t.Context(), in)
	if err != nil || fetched != 1 || third.Objects[0].Text != first.Objects[0].Text {
		t.Errorf("fetched %d times: %v, %v", fetched, third, err)
	}
	plain, err := pool.LoadFS(t.Context(), chartFS("# nothing\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Render(t.Context(), in); err != nil || fetched != 1 {
		t.Errorf("a chart that draws nothing has fetched the seed %d times, %v", fetched-1, err)
	}
	failing := errors.New("no seed today")
	in.Seed = render.FetchSeed(func(context.Context) (render.Seed, error) { return render.Seed{}, failing })
	if _, err := source.Render(t.Context(), in); !errors.Is(err, failing) {
		t.Errorf("without a seed: %v", err)
	}
	text := first.Objects[0].Text
	if text != second.Objects[0].Text || !strings.Contains(text, "2026-05-06 08:08:09") {
		t.Errorf("%s and %s", text, second.Objects[0].Text)
	}
}

// Values in place of the chart's own reach the child, also if there are none.
func TestChartValuesInAChild(t *testing.T) {
	fsys := chartFS("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '{{ .Values.own }}-{{ .Values.other }}'}\n")
	fsys["values.yaml"] = &fstest.MapFile{Data: []byte("own: own\nother: other\n")}
	source, err := open(t, Options{Children: 1}).LoadFS(t.Context(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	chart, err := render.LoadFS(fsys)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := render.MergeValues(render.FromSet("other=stored"))
	if err != nil {
		t.Fatal(err)
	}
	for want, values := range map[string]*render.Values{"own-other": nil, "-": {}, "-stored": &stored} {
		for name, s := range map[string]interface {
			Render(context.Context, render.Input) (*render.Manifest, error)
		}{"child": source, "chart": chart} {
			m, err := s.Render(t.Context(), render.Input{Name: "demo", ChartValues: values})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Objects[0].Object["data"].(map[string]any)["x"]; got != want {
				t.Errorf("%s: %v, want %s", name, got, want)
			}
		}
	}
}
