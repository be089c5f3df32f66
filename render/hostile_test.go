package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// entry is one of an archive.
type entry struct {
	name string
	kind byte // 0 is a regular file
	link string
	text string
	size int64 // if it is not that of the text
}

func packed(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644, Size: max(e.size, int64(len(e.text)))}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(archive, io.MultiReader(strings.NewReader(e.text), io.LimitReader(zeros{}, h.Size-int64(len(e.text))))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const hostileChart = "apiVersion: v2\nname: web\nversion: 1.0.0\n"

func nestedArchive(t testing.TB, levels int) []byte {
	inner := packed(t, entry{name: "web/Chart.yaml", text: hostileChart})
	for range levels {
		inner = packed(t, entry{name: "web/Chart.yaml", text: hostileChart}, entry{name: "web/charts/web.tgz", text: string(inner)})
	}
	return inner
}

func aliasBomb() string {
	text := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	return text
}

// Each of these archives is refused by an error of a known type, at once and
// without much memory.
func TestHostileArchives(t *testing.T) {
	ok := entry{name: "web/Chart.yaml", text: hostileChart}
	good := packed(t, ok, entry{name: "web/values.yaml", text: "a: 1\n"})
	many := []entry{ok}
	for i := range 20_001 {
		many = append(many, entry{name: fmt.Sprintf("web/f%d", i)})
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 0xff
	for name, c := range map[string]struct {
		archive []byte
		limit   string // of a LimitError, else an Error
	}{
		"no archive":            {archive: []byte("hello")},
		"nothing":               {archive: nil},
		"empty":                 {archive: packed(t)},
		"cut off":               {archive: good[:len(good)-12]},
		"broken":                {archive: bad},
		"path above":            {archive: packed(t, ok, entry{name: "web/../../etc/passwd", text: "x"})},
		"path above by slashes": {archive: packed(t, ok, entry{name: `web\..\..\x`, text: "x"})},
		"absolute path":         {archive: packed(t, ok, entry{name: "web//etc/passwd", text: "x"})},
		"drive":                 {archive: packed(t, ok, entry{name: "web/c:/x", text: "x"})},
		"file without folder":   {archive: packed(t, ok, entry{name: "x", text: "x"})},
		"symbolic link":         {archive: packed(t, ok, entry{name: "web/values.yaml", kind: tar.TypeSymlink, link: "/etc/passwd"})},
		"hard link":             {archive: packed(t, ok, entry{name: "web/values.yaml", kind: tar.TypeLink, link: "/etc/passwd"})},
		"device":                {archive: packed(t, ok, entry{name: "web/null", kind: tar.TypeChar})},
		"pipe":                  {archive: packed(t, ok, entry{name: "web/pipe", kind: tar.TypeFifo})},
		"zip bomb":              {archive: packed(t, ok, entry{name: "web/x", size: 4 << 20}, entry{name: "web/y", size: 4 << 20}), limit: "Ratio"},
		"large file":            {archive: packed(t, ok, entry{name: "web/x", size: 6 << 20}), limit: "FileBytes"},
		"many files":            {archive: packed(t, many...), limit: "Entries"},
		"archives in archives":  {archive: nestedArchive(t, 20), limit: "Depth"},
		"bomb in a subchart":    {archive: packed(t, ok, entry{name: "web/charts/x.tgz", text: string(packed(t, ok, entry{name: "web/x", size: 4 << 20}))}), limit: "Ratio"},
		"link in a subchart":    {archive: packed(t, ok, entry{name: "web/charts/x.tgz", text: string(packed(t, entry{name: "web/x", kind: tar.TypeSymlink, link: "/"}))})},
		"folder named .tgz":     {archive: packed(t, ok, entry{name: "web/charts/x.tgz/Chart.yaml", text: hostileChart})},
		"alias bomb":            {archive: packed(t, ok, entry{name: "web/values.yaml", text: aliasBomb()}), limit: "MemoryBytes"},
		"deep YAML":             {archive: packed(t, ok, entry{name: "web/values.yaml", text: strings.Repeat("[", 100_000)}), limit: "DocumentDepth"},
		"broken name":           {archive: packed(t, entry{name: "web/Chart.yaml", text: "apiVersion: v2\nname: ../web\nversion: 1.0.0\n"})},
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, c.limit, func() error {
				_, err := LoadArchive(bytes.NewReader(c.archive))
				return err
			})
		})
	}
	t.Run("endless", func(t *testing.T) {
		bounded(t, "ArchiveBytes", func() error {
			_, err := Loader{Limits: Limits{ArchiveBytes: 1 << 20}}.Archive(t.Context(), io.MultiReader(bytes.NewReader(stored(t)), zeros{}))
			return err
		})
	})
}

// stored is the beginning of an archive that does not compress.
func stored(t testing.TB) []byte {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(zip)
	if err := archive.WriteHeader(&tar.Header{Name: "web/x", Typeflag: tar.TypeReg, Size: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(make([]byte, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bounded runs what must end in an error of the limit, or in an [*Error] for
// "", within 2 s of processors' time and 256 MiB.
func bounded(t *testing.T, limit string, run func() error) {
	t.Helper()
	runtime.GC()
	before := heap()
	peak, done := make(chan uint64), make(chan struct{})
	go func() {
		most := heap()
		for {
			select {
			case <-done:
				peak <- max(most, heap())
				return
			case <-time.After(time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	begin := processorTime(t)
	err := run()
	took := processorTime(t) - begin
	close(done)
	if most := <-peak; most > before+256<<20 {
		t.Errorf("%d MiB were in use", (most-before)>>20)
	}
	// Twice that, because processors that share a core, and their caches, with
	// other work are that much slower.
	if most := 2 * 2 * time.Second * slowdown(); took > most {
		t.Errorf("it took %s of processors' time, more than %s", took, most)
	}
	var breach *LimitError
	var e *Error
	switch {
	case err == nil:
		t.Fatal("no error")
	case limit != "" && (!errors.As(err, &breach) || breach.Limit != limit):
		t.Errorf("no breach of %s: %v", limit, err)
	case !errors.As(err, &e):
		t.Errorf("%T: %v", err, err)
	case limit == "" && errors.As(err, &breach):
		t.Errorf("a breach: %v", err)
	}
}

// processorTime is what this process has used: a busy machine does not count.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// slowdown is how many times slower all is made by the race detector.
func slowdown() time.Duration {
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 15
	}
	return 1
}

// heap is how much of it is in use, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Each of these templates breaks a limit.
func TestHostileTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		template string
		limit    string
		limits   Limits
	}{
		"recursion":          {template: `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, limit: "TemplateDepth"},
		"recursion by tpl":   {template: `{{ $_ := set .Values "t" "{{ tpl .Values.t . }}" }}{{ tpl .Values.t . }}`, limit: "TemplateDepth"},
		"deep blocks":        {template: strings.Repeat("{{ if true }}", 20_000) + strings.Repeat("{{ end }}", 20_000), limit: "TemplateDepth"},
		"loops":              {template: `{{ range 100000 }}{{ range 100000 }}{{ $x := 1 }}{{ end }}{{ end }}`, limit: "Steps"},
		"until":              {template: `{{ until 1000000000 }}`, limit: "ResultBytes"},
		"untilStep":          {template: `{{ untilStep 0 9223372036854775807 2 }}`, limit: "ResultBytes"},
		"seq":                {template: `{{ seq 1 1000000000 }}`, limit: "ResultBytes"},
		"repeat":             {template: `{{ repeat 1000000000 "x" }}`, limit: "ResultBytes"},
		"repeats":            {template: `{{ $x := repeat 8000000 "x" }}{{ range until 100 }}{{ $y := $x | upper }}{{ end }}`, limit: "MemoryBytes"},
		"indent":             {template: `{{ "x" | indent 1000000000 }}`, limit: "ResultBytes"},
		"printf width":       {template: `{{ printf "%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d" 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 }}`, limit: "ResultBytes"},
		"replace":            {template: `{{ repeat 100000 "a" | replace "a" (repeat 100000 "b") }}`, limit: "ResultBytes"},
		"output":             {template: `{{ range until 1000 }}{{ range until 1000 }}{{ "0123456789012345678901234567890123456789012345678901234567890123456789" }}{{ end }}{{ end }}`, limit: "OutputBytes"},
		"doubling":           {template: `{{ $s := "x" }}{{ range until 64 }}{{ $s = print $s $s }}{{ end }}`, limit: "ResultBytes"},
		"regular expression": {template: `{{ regexReplaceAll "a" (repeat 1000000 "a") (repeat 100 "b") }}`, limit: "ResultBytes"},
		"split":              {template: `{{ splitList "" (repeat 16000000 "a") }}`, limit: "ResultBytes"},
		"random text":        {template: `{{ randAlphaNum 1000000000 }}`, limit: "ResultBytes"},
		"random bytes":       {template: `{{ randBytes 1000000000 }}`, limit: "ResultBytes"},
		"keys":               {template: `{{ range until 1000 }}{{ genPrivateKey "ed25519" }}{{ end }}`, limit: "Keys"},
		"slow hashes":        {template: `{{ bcrypt "a" }}{{ bcrypt "a" }}{{ bcrypt "a" }}`, limit: "Keys", limits: Limits{Keys: 2}},
		"map in itself":      {template: `{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ toJson $m }}`, limit: "TemplateDepth"},
		"YAML of itself":     {template: `{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ toYaml $m }}`, limit: "TemplateDepth"},
		"printing itself":    {template: `{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ $m }}`, limit: "TemplateDepth"},
		"copying itself":     {template: `{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ deepCopy $m }}`, limit: "TemplateDepth"},
		"comparing":          {template: `{{ $l := until 100000 }}{{ uniq $l }}`, limit: "Steps"},
		"appending":          {template: `{{ $l := list }}{{ range until 60000 }}{{ $l = append $l . }}{{ end }}`, limit: "MemoryBytes"},
		"time":               {template: `{{ range until 100000 }}{{ range until 10000 }}{{ end }}{{ end }}`, limit: "Time", limits: Limits{Time: 20 * time.Millisecond, Steps: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && c.limit == "Steps" {
				c.limits.Steps = 1_000_000 // the default takes seconds to reach
			}
			bounded(t, c.limit, func() error {
				chart, err := LoadFS(fstest.MapFS{
					"Chart.yaml":       {Data: []byte(hostileChart)},
					"templates/x.yaml": {Data: []byte(c.template)},
				})
				if err != nil {
					return err
				}
				limits := c.limits
				if limits.Time == 0 {
					limits.Time = 10 * time.Minute // no breach by a busy machine
				}
				if limits.Steps == 0 && testing.Short() {
					limits.Steps = 5_000_000
				}
				_, err = chart.Render(t.Context(), Input{Name: "demo", Limits: limits})
				return err
			})
		})
	}
}

// Two hundred renders at once give what one gives.
func TestConcurrentRenders(t *testing.T) {
	c := loadText(t, nested+`
-- templates/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data:
  values: {{ $_ := set .Values "seen" .Release.Name }}{{ .Values | toJson | quote }}
  tpl: {{ tpl "{{ include \"part\" . }} {{ .Release.Name }}" . | quote }}
  range: {{ range $i, $e := until 50 }}{{ regexReplaceAll "x" "axb" "y" }}{{ end }}
-- templates/_p.tpl --
{{ define "part" }}{{ .Values.store.size }}{{ end }}
`)
	values, err := MergeValues(FromSet("replicas=5,store.size=2Gi"))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "demo", Values: values}
	text := func() string {
		m, err := c.Render(t.Context(), in)
		if err != nil {
			return err.Error()
		}
		if o, ok := c.Origin(values, "store.size"); !ok || o.Line != 0 || len(o.Overrode) != 2 {
			return fmt.Sprintf("origin %+v", o)
		}
		return m.Text()
	}
	const renders = 200
	got := make([]string, renders)
	var all sync.WaitGroup
	for i := range renders {
		all.Go(func() { got[i] = text() })
	}
	all.Wait()
	want := text()
	if !strings.Contains(want, "2Gi demo") {
		t.Fatal(want)
	}
	for i := range got {
		if got[i] != want {
			t.Fatalf("render %d differs: %s", i, got[i])
		}
	}
}
