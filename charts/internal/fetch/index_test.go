package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

func TestIndexEntries(t *testing.T) {
	want := []indexEntry{{Version: "1.0.0", URLs: []string{"shop-1.0.0.tgz"}, Digest: "abc"}, {Version: "0.9.0", URLs: []string{"x"}}}
	const items = "  - version: 1.0.0\n    description: |\n      shop:\n      - x\n    digest: abc\n    urls:\n    - shop-1.0.0.tgz\n  - version: 0.9.0\n    urls: [x]\n"
	for name, text := range map[string]string{
		"as Helm writes it": "apiVersion: v1\nentries:\n  cart:\n  - version: 3.0.0\n  shop:\n" + items + "  zoo:\n  - version: 2.0.0\ngenerated: now\n",
		"last":              "entries:\n  cart:\n  - version: 3.0.0\n  shop:\n" + items,
		"indented more":     "entries:\n    shop:\n      - {version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}\n      - {version: 0.9.0, urls: [x]}\n    zoo: \n      - version: 1\n",
		"quoted":            "entries:\n  \"cart\":\n  - version: 3.0.0\n  'shop':\n" + items,
		"anchors elsewhere": "x: &u [x]\nentries:\n  shop:\n  - {version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}\n  - {version: 0.9.0, urls: *u}\n",
		"flow":              "entries: {shop: [{version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}, {version: 0.9.0, urls: [x]}]}\n",
		"flow inside":       "entries:\n  shop: [{version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}, {version: 0.9.0, urls: [x]}]\n",
		"JSON":              `{"apiVersion":"v1","other":{"shop":[1]},"entries":{"cart":[],"shop":[{"version":"1.0.0","digest":"abc","urls":["shop-1.0.0.tgz"]},{"version":"0.9.0","urls":["x"]}]}}`,
		"comments":          "# index\n---\nentries: \n  # ours\n  shop:\n# here\n" + items,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(text, "shop")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := read(text, "shap"); !errors.Is(err, ErrNoChart) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, text := range []string{"", "[]", "{", "entries: 1", "entries:\n  shop: 1\n", "{\"entries\": []}", "a: [", "entries:\n  shop:\n  - version: [\n"} {
		if got, err := read(text, "shop"); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// read reads an index that arrives in small pieces.
func read(text, name string) ([]indexEntry, error) {
	x := indexReader{name: name, memory: yamlread.DefaultMemory}
	return x.read(iotest.HalfReader(strings.NewReader(text)))
}

// largeIndex writes an index of so many bytes, with 20 versions of each chart.
func largeIndex(size int) (yaml, json []byte) {
	var y, j bytes.Buffer
	y.WriteString("apiVersion: v1\nentries:\n")
	j.WriteString(`{"entries":{`)
	for i := 0; y.Len() < size; i++ {
		fmt.Fprintf(&y, "  chart%d:\n", i)
		fmt.Fprintf(&j, `"chart%d":[{"version":"1.0.0"}`, i)
		for v := range 20 {
			fmt.Fprintf(&y, "  - apiVersion: v2\n    created: \"2024-01-01T00:00:00Z\"\n    description: A chart\n    digest: 0123456789\n    keywords: [a, b, c]\n    name: chart%d\n    urls:\n    - chart%d-%d.tgz\n    version: %d.0.0\n", i, i, v, v)
			fmt.Fprintf(&j, `,{"version":"%d.0.0","urls":["chart%d-%d.tgz"],"keywords":["a","b"]}`, v, i, v)
		}
		j.WriteString("],")
	}
	j.WriteString(`"z":[]}}`)
	return y.Bytes(), j.Bytes()
}

// Reading a large index takes memory for the entries of one chart, and a little
// more, whatever the others are.
func TestLargeIndex(t *testing.T) {
	yaml, json := largeIndex(18 << 20)
	for name, data := range map[string][]byte{"YAML": yaml, "JSON": json} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			peak := peakWhile(func(look func()) {
				x := indexReader{name: "chart1000", memory: yamlread.DefaultMemory}
				entries, err := x.read(&looking{r: bytes.NewReader(data), look: look})
				if err != nil || len(entries) < 20 {
					t.Fatalf("%d entries, %v", len(entries), err)
				}
			})
			t.Logf("%d MiB in %s with %d KiB", len(data)>>20, time.Since(begin), peak>>10)
			if peak > 6<<20 {
				t.Errorf("an index of %d MiB takes %d KiB", len(data)>>20, peak>>10)
			}
		})
	}
}

// looking calls look now and then while it is read.
type looking struct {
	r    io.Reader
	n    int
	look func()
}

func (l *looking) Read(p []byte) (int, error) {
	if l.n++; l.n%64 == 0 {
		l.look()
	}
	return l.r.Read(p)
}

// peakWhile returns how many bytes of the heap were in use at most, by what could
// not be collected when look was called.
func peakWhile(run func(look func())) uint64 {
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	run(func() { most = max(most, live()) })
	return most - min(before, most)
}

// What the chart itself has is bounded, in every form.
func TestHostileIndex(t *testing.T) {
	const indent = "entries:\n  shop:\n"
	for name, text := range map[string]string{
		"many versions":         indent + strings.Repeat("  - {}\n", 2_000_000),
		"many versions in JSON": `{"entries":{"shop":[{}` + strings.Repeat(",{}", 6_000_000) + "]}}",
		"long line":             indent + "  - version: " + strings.Repeat("x", 18<<20) + "\n",
		"aliases":               indent + "  - version: &a " + strings.Repeat("x", 1_000_000) + "\n    urls: [" + strings.Repeat("*a,", 3000) + "]\n",
		"aliases elsewhere":     "a: &a " + strings.Repeat("x", 900_000) + "\nentries:\n  shop:\n  - urls: [" + strings.Repeat("*a,", 30_000) + "]\n",
		"deep in JSON":          `{"entries":{"shop":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}}",
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			_, err := read(text, "shop")
			if !errors.As(err, new(*yamlread.LimitError)) {
				t.Errorf("%T: %.300v", err, err)
			}
			if took := allocated() - before; took > 160<<20 {
				t.Errorf("%d MiB were allocated", took>>20)
			}
		})
	}
}

// An index in another style is asked for once more if it is larger than what is
// kept of one.
func TestIndexInAnotherStyle(t *testing.T) {
	text := "entries: {" + strings.Repeat("cart: [{version: 1.0.0, description: '"+strings.Repeat("x", 1000)+"'}], ", 1) + "shop: [{version: 1.0.0}]}\n# " + strings.Repeat("x", 2*smallIndex) + "\n"
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cache := &Cache{Dir: t.TempDir()}
	for _, want := range []int{2, 4} {
		s, err := newSite(t.Context(), u, Options{PlainHTTP: true, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := s.index(t.Context(), u, "shop")
		if err != nil || len(entries) != 1 || asked != want {
			t.Errorf("%v, %v, asked %d times", entries, err, asked)
		}
	}
}

// A streamed index is kept in the cache, whether the chart is in it or not, and
// nothing is left of one that broke off.
func TestStreamedIndexIsCached(t *testing.T) {
	text := "entries:\n  shop:\n  - version: 1.0.0\n" + strings.Repeat("# x\n", 100_000)
	sent, broken := 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		if broken {
			w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			fmt.Fprint(w, text[:len(text)/2])
			return
		}
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	find := func(name string) error {
		s, err := newSite(t.Context(), u, Options{PlainHTTP: true, Cache: &Cache{Dir: dir}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.index(t.Context(), u, name)
		return err
	}
	broken = true
	if err := find("shop"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, of an index that breaks off", err)
	}
	broken = false
	for _, name := range []string{"cart", "shop", "cart", "shop"} {
		if err := find(name); err != nil && (name != "cart" || !errors.Is(err, ErrNoChart)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sent != 2 {
		t.Errorf("the index was sent %d times", sent)
	}
	files, err := filepath.Glob(filepath.Join(dir, "sha256", "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, "sha256", ".part-*"))
	if err != nil || len(files)+len(hidden) != 1 {
		t.Errorf("the cache has %v, %v", files, hidden)
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
